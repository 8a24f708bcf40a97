variable "name" {
  description = "What the distribution's parts are called."
  type        = string
}

variable "bucket" {
  description = "The bucket's name."
  type        = string
}

variable "place" {
  description = "Partition, region and account."
  type        = object({ partition = string, region = string, account = string })
}

variable "force_destroy" {
  description = "Whether destroying the bucket takes the models along."
  type        = bool
  default     = false
}

variable "price_class" {
  description = "Where CloudFront serves from."
  type        = string
  default     = "PriceClass_100"
  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "The price class is PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}
