"""The control plane as functions of AWS Lambda. `plane` puts it together, once a process."""
