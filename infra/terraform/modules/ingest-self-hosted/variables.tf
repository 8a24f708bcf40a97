variable "name" {
  description = "What the parts are called."
  type        = string
  validation {
    condition     = length(var.name) <= 25 && !startswith(var.name, "internal-")
    error_message = "A load balancer's name has 32 characters at most, so this one 25."
  }
}

variable "place" {
  description = "Partition, region and account."
  type        = object({ partition = string, region = string, account = string })
}

variable "image" {
  description = "The image with nginx and its RTMP module, see docs/aws.md."
  type        = string
}

variable "repository" {
  description = "The image's repository in this account's registry."
  type        = string
}

variable "api_url" {
  description = "Where the control plane's API is."
  type        = string
}

variable "hook_secret_arn" {
  description = "The secret that the hooks show, in Secrets Manager."
  type        = string
}

variable "hook_secret_policy_arn" {
  description = "The same as a policy names it."
  type        = string
}

variable "network" {
  description = "A network that is there already, with public subnets in two zones; null: make one."
  type        = object({ vpc_id = string, subnet_ids = list(string) })
  default     = null
  validation {
    condition     = var.network == null ? true : length(var.network.subnet_ids) >= 2
    error_message = "Give subnets in two zones."
  }
}

variable "cidr" {
  description = "The addresses of the network that is made."
  type        = string
  default     = "10.87.0.0/24"
  validation {
    condition     = can(cidrnetmask(var.cidr))
    error_message = "That is no IPv4 network."
  }
}

variable "publish_cidrs" {
  description = "Who may publish."
  type        = set(string)
  default     = ["0.0.0.0/0"]
}

variable "certificate_arn" {
  description = "A certificate of ACM in this region for rtmps://; null: rtmp://."
  type        = string
  default     = null
}

variable "cpu" {
  description = "Units of Fargate: 1024 are one processor, which takes some 50 streams."
  type        = number
  default     = 1024
}

variable "memory" {
  description = "MB. Segments lie in the task's own storage, not in memory."
  type        = number
  default     = 2048
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
}

variable "price_class" {
  description = "Where CloudFront serves from."
  type        = string
  default     = "PriceClass_100"
}
