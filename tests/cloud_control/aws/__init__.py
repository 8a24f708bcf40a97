"""The adapters on AWS, against moto's server over HTTP, with real boto3 clients."""
