variable "name" {
  description = "What the parts are called."
  type        = string
}

variable "origin" {
  description = "The API's host name."
  type        = string
  validation {
    condition     = !can(regex("[:/]", var.origin))
    error_message = "The origin is a host name without https:// and without a path."
  }
}

variable "domain" {
  description = "A name of your own with its ACM certificate in us-east-1; null: CloudFront's own name."
  type        = object({ name = string, certificate_arn = string })
  default     = null
  validation {
    condition     = var.domain == null ? true : can(regex("^arn:[a-z-]+:acm:us-east-1:", var.domain.certificate_arn))
    error_message = "CloudFront takes certificates of ACM in us-east-1 alone."
  }
}

variable "web_acl_arn" {
  description = "A web ACL of WAF in front of it; null: none."
  type        = string
  default     = null
}

variable "price_class" {
  description = "Where CloudFront serves from."
  type        = string
  default     = "PriceClass_100"
}
