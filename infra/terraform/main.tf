# One fleet: the control plane without a server. Everything that is made here is named veilcast-{fleet}.

provider "aws" {
  region = var.region
  default_tags {
    tags = merge(var.tags, { "veilcast:fleet" = var.fleet, "veilcast:by" = "terraform" })
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_iot_endpoint" "data" {
  endpoint_type = "iot:Data-ATS"
}

locals {
  name = "veilcast-${var.fleet}"
  place = {
    partition = data.aws_partition.this.partition
    region    = var.region
    account   = data.aws_caller_identity.this.account_id
  }
  secrets     = "veilcast/${var.fleet}"
  self_hosted = var.ingest == "self-hosted"
  url         = var.pages ? module.pages[0].url : module.api.url

  functions = {
    http         = { description = "The API and the pages", handler = "cloud_control.lambdas.http.handler", memory = 1024, timeout = 29 }
    messages     = { description = "What devices say", handler = "cloud_control.lambdas.messages.handler", memory = 512, timeout = 30 }
    schedule     = { description = "What is due every minute", handler = "cloud_control.lambdas.schedule.handler", memory = 1024, timeout = 55 }
    provisioning = { description = "Whether a device may join by its claim", handler = "cloud_control.lambdas.provisioning.handler", memory = 512, timeout = 5 }
    ivs          = { description = "What IVS says about streams", handler = "cloud_control.lambdas.ivs.handler", memory = 512, timeout = 30 }
  }
}

module "state" {
  source        = "./modules/state"
  name          = local.name
  place         = local.place
  force_destroy = var.force_destroy
}

module "models" {
  source        = "./modules/models"
  name          = local.name
  bucket        = "${local.name}-models-${local.place.account}"
  place         = local.place
  force_destroy = var.force_destroy
}

module "uploads" {
  source        = "./modules/uploads"
  bucket        = "${local.name}-uploads-${local.place.account}"
  partition     = local.place.partition
  force_destroy = var.force_destroy
  keep_days     = var.upload_days
}

module "functions" {
  source     = "./modules/functions"
  name       = local.name
  place      = local.place
  package    = var.package
  log_days   = var.log_days
  statements = local.access
  functions = { for name, function in local.functions :
    name => merge(function, { concurrency = lookup(var.concurrency, name, -1) })
  }
  environment = {
    VEILCAST_AWS_FLEET          = var.fleet
    VEILCAST_AWS_TABLE          = local.name
    VEILCAST_AWS_IOT_ENDPOINT   = data.aws_iot_endpoint.data.endpoint_address
    VEILCAST_AWS_IOT_POLICY     = "${local.name}-device"
    VEILCAST_AWS_MODELS_BUCKET  = "${local.name}-models-${local.place.account}"
    VEILCAST_AWS_MODELS_URL     = module.models.url
    VEILCAST_AWS_UPLOADS_BUCKET = "${local.name}-uploads-${local.place.account}"
    VEILCAST_AWS_URL            = local.url
    VEILCAST_AWS_INGEST         = var.ingest
    VEILCAST_AWS_INGEST_URL     = local.self_hosted ? module.ingest_self_hosted[0].publish_url : ""
    VEILCAST_AWS_HLS_URL        = local.self_hosted ? module.ingest_self_hosted[0].hls_url : ""
    VEILCAST_AWS_SECRETS        = local.secrets
    VEILCAST_AWS_IVS_TYPE       = var.ivs_type
    VEILCAST_AWS_RECORDING      = var.ingest == "ivs" && var.record ? module.ingest_ivs[0].recording_arn : ""
  }
}

module "fleet" {
  source   = "./modules/fleet"
  name     = local.name
  fleet    = var.fleet
  place    = local.place
  hook_arn = module.functions.arns["provisioning"]
}

module "messages" {
  source       = "./modules/messages"
  name         = local.name
  fleet        = var.fleet
  place        = local.place
  function_arn = module.functions.arns["messages"]
}

module "api" {
  source       = "./modules/api"
  name         = local.name
  function_arn = module.functions.arns["http"]
  invoke_arn   = module.functions.invoke_arns["http"]
  domain       = var.pages ? null : var.domain
  log_days     = var.log_days
  rate         = var.api_rate
  burst        = 2 * var.api_rate
}

module "pages" {
  source = "./modules/pages"
  count  = var.pages ? 1 : 0
  name   = local.name
  origin = replace(module.api.url, "https://", "")
  domain = var.domain
}

module "schedules" {
  source           = "./modules/schedules"
  name             = local.name
  place            = local.place
  function_arn     = module.functions.arns["schedule"]
  failed_queue_arn = module.messages.failed_queue_arn
}

module "ingest_ivs" {
  source            = "./modules/ingest-ivs"
  count             = var.ingest == "ivs" ? 1 : 0
  name              = local.name
  fleet             = var.fleet
  function_arn      = module.functions.arns["ivs"]
  record            = var.record
  recordings_bucket = module.uploads.bucket
}

module "ingest_self_hosted" {
  source                 = "./modules/ingest-self-hosted"
  count                  = local.self_hosted ? 1 : 0
  name                   = local.name
  place                  = local.place
  image                  = var.ingest_image
  repository             = "${local.name}-ingest"
  api_url                = module.api.url
  hook_secret_arn        = aws_secretsmanager_secret.this["ingest-hook"].arn
  hook_secret_policy_arn = "${local.secrets_arn}/ingest-hook-*"
  network                = var.network
  certificate_arn        = var.ingest_certificate_arn
  log_days               = var.log_days
}

module "observability" {
  source         = "./modules/observability"
  name           = local.name
  fleet          = var.fleet
  place          = local.place
  functions      = module.functions.names
  table          = local.name
  api_id         = module.api.id
  failed_queue   = module.messages.failed_queue
  email          = var.alarm_email
  monthly_budget = var.monthly_budget
}

# Empty places for keys, which `veilcast control init-aws` fills: so that destroying takes them along,
# and no key ever stands in Terraform's state.
resource "aws_secretsmanager_secret" "this" {
  for_each                = local.secret_names
  name                    = "${local.secrets}/${each.key}"
  recovery_window_in_days = var.force_destroy ? 0 : 7
}
