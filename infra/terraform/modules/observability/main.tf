# Who is told when something is wrong, and what it costs.

locals {
  metrics = "Veilcast" # the namespace of what the function `messages` prints about devices
  # Alarms of one metric each. above: what is still fine; minutes: for how long it must not be.
  alarms = merge(
    {
      unverified-frames = {
        says = "A device sent a frame that no decision covers. This must never happen."
        of   = [local.metrics, "UnverifiedFrames", { fleet = var.fleet }], statistic = "Sum", above = 0, minutes = 1
      }
      failed-messages = {
        says = "Messages could not be handled; they wait in the queue ${var.failed_queue}."
        of   = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName = var.failed_queue }], statistic = "Maximum", above = 0, minutes = 5
      }
      api-errors = {
        says = "The API answers with errors of its own."
        of   = ["AWS/ApiGateway", "5xx", { ApiId = var.api_id }], statistic = "Sum", above = 5, minutes = 5
      }
      table-throttled = {
        says = "DynamoDB refuses what the control plane asks."
        of   = ["AWS/DynamoDB", "ThrottledRequests", { TableName = var.table, Operation = "TransactWriteItems" }], statistic = "Sum", above = 10, minutes = 5
      }
    },
    {
      for name, function in var.functions : "${name}-errors" => {
        says = "The function ${function} fails."
        of   = ["AWS/Lambda", "Errors", { FunctionName = function }], statistic = "Sum", above = 3, minutes = 5
      }
    },
    {
      for name, function in var.functions : "${name}-throttled" => {
        says = "The function ${function} is called more often than its concurrency lets it."
        of   = ["AWS/Lambda", "Throttles", { FunctionName = function }], statistic = "Sum", above = 10, minutes = 5
      }
    },
  )
}

# Not encrypted by a key of our own: alarms name functions and figures, no one's data.
resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Condition = { StringEquals = { "aws:SourceAccount" = var.place.account } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.email == null ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.email
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.of[0]
  metric_name         = each.value.of[1]
  dimensions          = each.value.of[2]
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = each.value.minutes * 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching" # no news is no frame
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Once a minute the schedule runs: silence there is a failure.
resource "aws_cloudwatch_metric_alarm" "schedule_silent" {
  alarm_name          = "${var.name}-schedule-silent"
  alarm_description   = "The schedule has not run for 5 minutes: leases and rollouts stand still."
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = var.functions["schedule"] }
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = [
    for place, widget in local.widgets : {
      type   = "metric"
      x      = place % 2 * 12
      y      = floor(place / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = widget.title
        region  = var.place.region
        stat    = widget.stat
        period  = 60
        metrics = widget.metrics
      }
    }
  ] })
}

locals {
  widgets = [
    {
      title   = "Frames that no decision covers: must be 0", stat = "Sum"
      metrics = [[local.metrics, "UnverifiedFrames", "fleet", var.fleet]]
    },
    {
      title   = "Functions: calls", stat = "Sum"
      metrics = [for function in values(var.functions) : ["AWS/Lambda", "Invocations", "FunctionName", function]]
    },
    {
      title   = "Functions: errors", stat = "Sum"
      metrics = [for function in values(var.functions) : ["AWS/Lambda", "Errors", "FunctionName", function]]
    },
    {
      title   = "Functions: milliseconds, 99 of 100", stat = "p99"
      metrics = [for function in values(var.functions) : ["AWS/Lambda", "Duration", "FunctionName", function]]
    },
    {
      title   = "Table: units", stat = "Sum"
      metrics = [for metric in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"] : ["AWS/DynamoDB", metric, "TableName", var.table]]
    },
    {
      title   = "API: requests and errors", stat = "Sum"
      metrics = [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", var.api_id]]
    },
  ]
}

resource "aws_budgets_budget" "this" {
  count        = var.monthly_budget == null ? 0 : 1
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [join("$", ["user:veilcast:fleet", var.fleet])]
  }

  dynamic "notification" {
    for_each = { FORECASTED = 100, ACTUAL = 80 }
    content {
      comparison_operator       = "GREATER_THAN"
      notification_type         = notification.key
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    }
  }
}
