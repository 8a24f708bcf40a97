variable "bucket" {
  description = "The bucket's name."
  type        = string
}

variable "partition" {
  description = "aws, aws-cn or aws-us-gov."
  type        = string
}

variable "force_destroy" {
  description = "Whether destroying the bucket takes the uploads along."
  type        = bool
  default     = false
}

variable "keep_days" {
  description = "How long uploads and recordings are kept; null: until somebody deletes them."
  type        = number
  default     = 90
}
