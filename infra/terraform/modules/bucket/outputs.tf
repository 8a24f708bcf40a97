output "name" {
  description = "The bucket's name, once it stands."
  value       = aws_s3_bucket.this.id
}

output "arn" {
  description = "Made of the name, so that policies are known before the bucket is."
  value       = local.arn
}

output "domain" {
  description = "Where CloudFront finds it."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}
