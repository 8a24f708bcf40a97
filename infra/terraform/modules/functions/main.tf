# Several functions of one zip, each with a role and a log group of its own.

locals {
  arn = { for name in keys(var.functions) : name =>
    "arn:${var.place.partition}:lambda:${var.place.region}:${var.place.account}:function:${var.name}-${name}"
  }
  log_arn = { for name in keys(var.functions) : name =>
    "arn:${var.place.partition}:logs:${var.place.region}:${var.place.account}:log-group:/aws/lambda/${var.name}-${name}"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each          = var.functions
  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_days
}

resource "aws_iam_role" "this" {
  for_each = var.functions
  name     = "${var.name}-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = var.functions
  name     = "own"
  role     = aws_iam_role.this[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.log_arn[each.key]}:log-stream:*"
      }
    ], var.statements[each.key])
  })
}

resource "aws_lambda_function" "this" {
  for_each                       = var.functions
  function_name                  = "${var.name}-${each.key}"
  description                    = each.value.description
  role                           = aws_iam_role.this[each.key].arn
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  handler                        = each.value.handler
  runtime                        = "python3.13"
  architectures                  = ["arm64"]
  memory_size                    = each.value.memory
  timeout                        = each.value.timeout
  reserved_concurrent_executions = each.value.concurrency

  environment {
    variables = var.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }

  depends_on = [aws_iam_role_policy.this]
}
