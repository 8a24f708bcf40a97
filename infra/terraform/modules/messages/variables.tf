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

variable "function_arn" {
  description = "The function that takes what devices say."
  type        = string
}
