variable "name" {
  description = "What the parts are called."
  type        = string
}

variable "fleet" {
  description = "The fleet's id; channels are called veilcast-{fleet}-{stream}."
  type        = string
}

variable "function_arn" {
  description = "The function that hears of streams' states."
  type        = string
}

variable "record" {
  description = "Whether IVS records."
  type        = bool
  default     = false
}

variable "recordings_bucket" {
  description = "Where it records to."
  type        = string
}
