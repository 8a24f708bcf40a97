variable "name" {
  description = "What the parts are called."
  type        = string
}

variable "place" {
  description = "Partition, region and account."
  type        = object({ partition = string, region = string, account = string })
}

variable "function_arn" {
  description = "The function that is called every minute."
  type        = string
}

variable "failed_queue_arn" {
  description = "The queue of what could not be handed over."
  type        = string
}
