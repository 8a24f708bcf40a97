variable "fleet" {
  description = "The fleet's id. Everything is named after it."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,23}$", var.fleet))
    error_message = "A fleet's id has up to 24 small letters, digits and hyphens."
  }
}

variable "region" {
  description = "Where all of it runs. IVS is in few regions: us-east-1, us-west-2, eu-west-1, eu-central-1, ap-northeast-1, ap-northeast-2, ap-south-1."
  type        = string
}

variable "package" {
  description = "The zip that `python -m infra.lambda_package` made."
  type        = string
}

variable "ingest" {
  description = "Who takes the video: ivs, self-hosted, or none (agents publish elsewhere)."
  type        = string
  default     = "ivs"
  validation {
    condition     = contains(["ivs", "self-hosted", "none"], var.ingest)
    error_message = "The ingest is ivs, self-hosted or none."
  }
  validation {
    condition     = var.ingest != "self-hosted" || var.ingest_image != null
    error_message = "A self-hosted ingest needs ingest_image, see docs/aws.md."
  }
  validation {
    condition     = var.ingest != "self-hosted" || length(var.fleet) <= 16
    error_message = "With a self-hosted ingest the fleet's id has up to 16 characters: load balancers have short names."
  }
  validation {
    condition     = var.ingest != "ivs" || contains(["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1", "ap-northeast-2", "ap-south-1"], var.region)
    error_message = "Amazon IVS is not in this region: choose another, or another ingest."
  }
}

variable "ingest_image" {
  description = "The image of the self-hosted ingest in this account's registry."
  type        = string
  default     = null
}

variable "ingest_certificate_arn" {
  description = "A certificate of ACM for rtmps:// at the self-hosted ingest; null: rtmp://."
  type        = string
  default     = null
}

variable "network" {
  description = "Where the self-hosted ingest runs; null: in a network of its own."
  type        = object({ vpc_id = string, subnet_ids = list(string) })
  default     = null
}

variable "ivs_type" {
  description = "Of IVS channels. BASIC: viewers get what agents send, at most 3.5 Mbit/s. STANDARD: several sizes of it, at ten times the price."
  type        = string
  default     = "BASIC"
  validation {
    condition     = contains(["BASIC", "STANDARD"], var.ivs_type)
    error_message = "ivs_type is BASIC or STANDARD."
  }
}

variable "record" {
  description = "Whether IVS records streams into the uploads' bucket."
  type        = bool
  default     = false
}

variable "pages" {
  description = "Whether CloudFront stands in front of the API for viewers."
  type        = bool
  default     = true
}

variable "domain" {
  description = "A name of your own. Its certificate is in us-east-1 with pages, else in the region."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "api_rate" {
  description = "Requests a second that the API takes; twice as many at once."
  type        = number
  default     = 200
}

variable "concurrency" {
  description = "How many of each function may run at once, by name; what is not named shares the account's."
  type        = map(number)
  default     = {}
  validation {
    condition     = length(setsubtract(keys(var.concurrency), ["http", "messages", "schedule", "provisioning", "ivs"])) == 0
    error_message = "The functions are http, messages, schedule, provisioning and ivs."
  }
}

variable "upload_days" {
  description = "How long uploads and recordings are kept; null: until somebody deletes them."
  type        = number
  default     = 90
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
}

variable "alarm_email" {
  description = "Who is written to when an alarm goes off; null: nobody."
  type        = string
  default     = null
}

variable "monthly_budget" {
  description = "US dollars a month beyond which somebody is told; null: no budget."
  type        = number
  default     = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` takes documents, models and uploads along."
  type        = bool
  default     = false
}

variable "tags" {
  description = "More tags on everything."
  type        = map(string)
  default     = {}
}
