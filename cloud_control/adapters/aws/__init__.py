"""Adapters on AWS's own services. Each takes its boto3 client, so one process may use several."""
