variable "name" {
  description = "The bucket's name, unique in the world."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 small letters, digits and hyphens."
  }
}

variable "partition" {
  description = "aws, aws-cn or aws-us-gov."
  type        = string
}

variable "force_destroy" {
  description = "Whether destroying the bucket takes what is in it along."
  type        = bool
  default     = false
}

variable "old_version_days" {
  description = "How long what was overwritten or deleted can be brought back."
  type        = number
  default     = 30
  validation {
    condition     = var.old_version_days >= 1
    error_message = "Old versions stay for one day at least."
  }
}

variable "expire_days" {
  description = "After how many days objects are deleted; null: never."
  type        = number
  default     = null
  validation {
    condition     = var.expire_days == null ? true : var.expire_days >= 1
    error_message = "Objects stay for one day at least."
  }
}

variable "statements" {
  description = "More statements of the bucket's policy."
  type        = any
  default     = []
}
