variable "name" {
  description = "What the parts are called."
  type        = string
}

variable "fleet" {
  description = "The fleet's id."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,23}$", var.fleet))
    error_message = "A fleet's id has up to 24 small letters, digits and hyphens."
  }
}

variable "place" {
  description = "Partition, region and account."
  type        = object({ partition = string, region = string, account = string })
}

variable "hook_arn" {
  description = "The function that is asked before a device is provisioned."
  type        = string
}
