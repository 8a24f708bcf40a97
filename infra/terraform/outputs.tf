output "url" {
  description = "The control plane: VEILCAST_CONTROL."
  value       = local.url
}

output "models_url" {
  description = "The model repository."
  value       = module.models.url
}

output "environment" {
  description = "What `veilcast control init-aws`, export and import need."
  value       = module.functions.environment
}

output "claim_policy" {
  description = "The policy for claim certificates."
  value       = module.fleet.claim_policy
}

output "provisioning_template" {
  description = "The template that claims use."
  value       = module.fleet.template
}

output "publish_url" {
  description = "Where agents publish with the self-hosted ingest; null with others."
  value       = one(module.ingest_self_hosted[*].publish_url)
}

output "domain_target" {
  description = "What the domain's DNS record has to point to."
  value       = var.pages ? module.pages[0].domain_target : module.api.domain_target
}

output "alarms_topic" {
  description = "Where alarms are told."
  value       = module.observability.topic_arn
}

output "shell" {
  description = "The same for a shell: eval \"$(terraform output -raw shell)\"."
  value = join("\n", [
    for name, value in merge(module.functions.environment, { VEILCAST_CONTROL = local.url, AWS_REGION = var.region }) :
    "export ${name}='${value}'"
  ])
}
