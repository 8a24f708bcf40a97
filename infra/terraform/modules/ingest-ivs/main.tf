# Amazon IVS takes the video. The control plane makes a channel for each stream; here is what all share.

resource "aws_ivs_recording_configuration" "this" {
  count = var.record ? 1 : 0
  name  = var.name

  destination_configuration {
    s3 {
      bucket_name = var.recordings_bucket
    }
  }

  recording_reconnect_window_seconds = 60
}

# Best effort: they may be late, missing or out of order, so leases decide in the end.
resource "aws_cloudwatch_event_rule" "this" {
  name        = "${var.name}-ivs"
  description = "IVS's news about the channels of the fleet ${var.fleet}"
  event_pattern = jsonencode({
    source        = ["aws.ivs"]
    "detail-type" = ["IVS Stream State Change", "IVS Recording State Change"]
    detail        = { channel_name = [{ prefix = "veilcast-${var.fleet}-" }] }
  })
}

resource "aws_cloudwatch_event_target" "this" {
  rule = aws_cloudwatch_event_rule.this.name
  arn  = var.function_arn
  retry_policy {
    maximum_event_age_in_seconds = 300
    maximum_retry_attempts       = 4
  }
}

resource "aws_lambda_permission" "this" {
  statement_id  = "ivs"
  action        = "lambda:InvokeFunction"
  function_name = var.function_arn
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.this.arn
}
