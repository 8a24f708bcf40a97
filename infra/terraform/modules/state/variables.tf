variable "name" {
  description = "The table's name."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.name))
    error_message = "A table's name has 3 to 255 letters, digits, '_', '.' and '-'."
  }
}

variable "place" {
  description = "Partition, region and account."
  type        = object({ partition = string, region = string, account = string })
}

variable "force_destroy" {
  description = "Whether the table may be destroyed with what is in it."
  type        = bool
  default     = false
}
