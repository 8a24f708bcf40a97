output "arns" {
  description = "The functions' ARNs by name, made of the names, so that policies are known before."
  value       = local.arn
  depends_on  = [aws_lambda_function.this] # but nobody gets to them sooner
}

output "invoke_arns" {
  description = "What API Gateway calls, by name."
  value       = { for name, function in aws_lambda_function.this : name => function.invoke_arn }
}

output "names" {
  description = "The functions' names by name."
  value       = { for name, function in aws_lambda_function.this : name => function.function_name }
}

output "environment" {
  description = "The environment that all of them have."
  value       = var.environment
}
