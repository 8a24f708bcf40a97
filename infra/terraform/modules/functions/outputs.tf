output "arns" {
  description = "The functions' ARNs by name, once they stand."
  value       = { for name, function in aws_lambda_function.this : name => function.arn }
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
