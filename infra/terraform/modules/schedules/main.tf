# Once a minute: leases, waves of rollouts, certificates, documents that did not go out.

locals {
  group_arn = "arn:${var.place.partition}:scheduler:${var.place.region}:${var.place.account}:schedule-group/${var.name}"
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "minute" {
  name                = "minute"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = "rate(1 minute)"
  state               = "ENABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.function_arn
    role_arn = aws_iam_role.this.arn
    retry_policy {
      maximum_event_age_in_seconds = 60 # the next one is due then
      maximum_retry_attempts       = 0
    }
    dead_letter_config {
      arn = var.failed_queue_arn
    }
  }
}

resource "aws_iam_role" "this" {
  name = "${var.name}-scheduler"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.place.account, "aws:SourceArn" = local.group_arn } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "invoke"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Function"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = var.function_arn
      },
      {
        Sid      = "Failed"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = var.failed_queue_arn
      },
    ]
  })
}
