# What devices say goes to one function. The rules name what devices may say, so that what the control
# plane publishes itself (desired, cmd) costs no rule.

locals {
  tails = {
    status    = "status"
    reported  = "reported"
    state     = "streams/+/state"
    ack       = "ack/+"
    telemetry = "telemetry"
  }
  rules = merge(
    {
      for name, tail in local.tails : name =>
      "SELECT encode(*, 'base64') AS payload, topic() AS topic FROM 'veilcast/v1/${var.fleet}/+/${tail}'"
    },
    {
      # An account may hold other clients: theirs are none of ours.
      presence = "SELECT eventType, clientId, timestamp, disconnectReason, versionNumber FROM '$aws/events/presence/+/+' WHERE startswith(clientId, '${var.fleet}.')"
    },
  )
}

resource "aws_iot_topic_rule" "this" {
  for_each    = local.rules
  name        = replace("${var.name}_${each.key}", "-", "_")
  description = "${each.key} of the fleet ${var.fleet}"
  enabled     = true
  sql         = each.value
  sql_version = "2016-03-23"

  lambda {
    function_arn = var.function_arn
  }

  error_action {
    sqs {
      queue_url  = aws_sqs_queue.failed.url
      role_arn   = aws_iam_role.failed.arn
      use_base64 = false
    }
  }
}

resource "aws_lambda_permission" "rule" {
  for_each       = local.rules
  statement_id   = "iot-${each.key}"
  action         = "lambda:InvokeFunction"
  function_name  = var.function_arn
  principal      = "iot.amazonaws.com"
  source_account = var.place.account
  source_arn     = aws_iot_topic_rule.this[each.key].arn
}

# What could not be handed over or handled waits here for somebody to look at.
resource "aws_sqs_queue" "failed" {
  name                      = "${var.name}-failed"
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
}

resource "aws_lambda_function_event_invoke_config" "messages" {
  function_name                = var.function_arn
  maximum_event_age_in_seconds = 300 # older news are overtaken
  maximum_retry_attempts       = 2
  destination_config {
    on_failure {
      destination = local.queue_arn
    }
  }
}

locals {
  queue_arn = "arn:${var.place.partition}:sqs:${var.place.region}:${var.place.account}:${var.name}-failed"
}

resource "aws_iam_role" "failed" {
  name = "${var.name}-iot-errors"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "iot.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.place.account } }
    }]
  })
}

resource "aws_iam_role_policy" "failed" {
  name = "errors"
  role = aws_iam_role.failed.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Queue"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = local.queue_arn
    }]
  })
}
