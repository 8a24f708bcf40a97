variable "name" {
  description = "The API's name."
  type        = string
}

variable "function_arn" {
  description = "The function that answers."
  type        = string
}

variable "invoke_arn" {
  description = "How API Gateway calls it."
  type        = string
}

variable "domain" {
  description = "A name of your own with its ACM certificate in this region; null: the API's own name."
  type        = object({ name = string, certificate_arn = string })
  default     = null
  validation {
    condition     = var.domain == null ? true : can(regex("^arn:[a-z-]+:acm:", var.domain.certificate_arn))
    error_message = "The domain's certificate is named by its ARN in ACM."
  }
}

variable "rate" {
  description = "Requests a second, on average."
  type        = number
  default     = 200
  validation {
    condition     = var.rate >= 1
    error_message = "A rate below 1 would serve nobody."
  }
}

variable "burst" {
  description = "Requests at once."
  type        = number
  default     = 400
}

variable "log_days" {
  description = "How long access logs are kept."
  type        = number
  default     = 30
}
