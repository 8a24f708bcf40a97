output "bucket" {
  description = "The bucket's name, once it stands."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "Its ARN, made of the name."
  value       = module.bucket.arn
}

output "url" {
  description = "Where devices fetch metadata/ and targets/."
  value       = "https://${aws_cloudfront_distribution.this.domain_name}"
}
