variable "name" {
  description = "What the functions' names begin with."
  type        = string
}

variable "place" {
  description = "Partition, region and account."
  type        = object({ partition = string, region = string, account = string })
}

variable "package" {
  description = "The zip that `python -m infra.lambda_package` made."
  type        = string
  validation {
    condition     = fileexists(var.package)
    error_message = "There is no such package: make it with `python -m infra.lambda_package OUT.zip`."
  }
}

variable "functions" {
  description = "The functions by name. memory in MB, timeout in seconds; concurrency -1: not reserved."
  type = map(object({
    description = string
    handler     = string
    memory      = number
    timeout     = number
    concurrency = optional(number, -1)
  }))
  validation {
    condition     = alltrue([for f in var.functions : f.memory >= 128 && f.memory <= 10240 && f.timeout >= 1 && f.timeout <= 900])
    error_message = "A function has 128 to 10240 MB and 1 to 900 seconds."
  }
  validation {
    condition     = alltrue([for f in var.functions : f.concurrency == -1 || f.concurrency >= 1])
    error_message = "A reserved concurrency of 0 would stop the function; -1 reserves nothing."
  }
}

variable "statements" {
  description = "What each function may do, as statements of its role's policy, by the function's name."
  type        = any
}

variable "environment" {
  description = "The environment of every function."
  type        = map(string)
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days."
  }
}
