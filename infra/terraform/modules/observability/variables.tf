variable "name" {
  description = "What the parts are called."
  type        = string
}

variable "fleet" {
  description = "The fleet's id."
  type        = string
}

variable "place" {
  description = "Partition, region and account."
  type        = object({ partition = string, region = string, account = string })
}

variable "functions" {
  description = "The functions' names in AWS by name; `schedule` must be among them."
  type        = map(string)
  validation {
    condition     = contains(keys(var.functions), "schedule")
    error_message = "The function `schedule` is missing."
  }
}

variable "table" {
  description = "The table's name."
  type        = string
}

variable "api_id" {
  description = "The API's id."
  type        = string
}

variable "failed_queue" {
  description = "The name of the queue of what could not be handled."
  type        = string
}

variable "email" {
  description = "Who is written to; null: nobody."
  type        = string
  default     = null
  validation {
    condition     = var.email == null ? true : can(regex("^[^@ ]+@[^@ ]+$", var.email))
    error_message = "That is no e-mail address."
  }
}

variable "monthly_budget" {
  description = "US dollars a month beyond which somebody is told; null: no budget."
  type        = number
  default     = null
  validation {
    condition     = var.monthly_budget == null ? true : var.monthly_budget > 0
    error_message = "A budget is more than nothing."
  }
}
