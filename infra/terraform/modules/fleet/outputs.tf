output "policy" {
  description = "The policy of every device's certificate."
  value       = aws_iot_policy.device.name
}

output "claim_policy" {
  description = "The policy of claim certificates."
  value       = aws_iot_policy.claim.name
}

output "template" {
  description = "The provisioning template that claims use."
  value       = aws_iot_provisioning_template.device.name
}

output "thing_type" {
  description = "What kind of thing a device is."
  value       = aws_iot_thing_type.agent.name
}
