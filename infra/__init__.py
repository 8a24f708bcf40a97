"""What runs Veilcast on AWS: Terraform beside, the Lambda package here."""
