output "failed_queue" {
  description = "The name of the queue of what could not be handled."
  value       = aws_sqs_queue.failed.name
}

output "failed_queue_arn" {
  description = "Its ARN, made of the name."
  value       = local.queue_arn
}

output "rules" {
  description = "The rules' names."
  value       = [for rule in aws_iot_topic_rule.this : rule.name]
}
