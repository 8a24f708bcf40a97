output "role_arn" {
  description = "The role that calls the function."
  value       = aws_iam_role.this.arn
}
