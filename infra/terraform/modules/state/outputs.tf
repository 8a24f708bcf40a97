output "name" {
  description = "The table's name, once it stands."
  value       = aws_dynamodb_table.this.name
}

output "arn" {
  description = "Made of the name, so that policies are known before the table is."
  value       = "arn:${var.place.partition}:dynamodb:${var.place.region}:${var.place.account}:table/${var.name}"
}
