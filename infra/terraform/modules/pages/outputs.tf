output "url" {
  description = "Where viewers go."
  value       = "https://${local.host}"
}

output "domain_target" {
  description = "What a domain's DNS record has to point to."
  value       = aws_cloudfront_distribution.this.domain_name
}

locals {
  host = var.domain == null ? aws_cloudfront_distribution.this.domain_name : var.domain.name
}
