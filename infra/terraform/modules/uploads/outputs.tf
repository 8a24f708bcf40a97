output "bucket" {
  description = "The bucket's name, once it stands."
  value       = module.bucket.name
}

output "bucket_arn" {
  description = "Its ARN, made of the name."
  value       = module.bucket.arn
}
