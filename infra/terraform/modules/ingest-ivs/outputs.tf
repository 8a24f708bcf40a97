output "recording_arn" {
  description = "The recording configuration; null when nothing is recorded."
  value       = one(aws_ivs_recording_configuration.this[*].arn)
}
