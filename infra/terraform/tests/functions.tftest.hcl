mock_provider "aws" {
  source = "./tests/mocks"
}

# The modules functions, api, schedules and observability.

variables {
  name         = "veilcast-acme"
  fleet        = "acme"
  place        = { partition = "aws", region = "eu-central-1", account = "111122223333" }
  function_arn = "arn:aws:lambda:eu-central-1:111122223333:function:veilcast-acme-http"
  package      = "./tests/mocks/aws.tfmock.hcl" # any file does
  environment  = { VEILCAST_AWS_FLEET = "acme" }
  functions = {
    http     = { description = "answers", handler = "a.b", memory = 1024, timeout = 29 }
    schedule = { description = "does what is due", handler = "a.c", memory = 512, timeout = 55, concurrency = 1 }
  }
  statements = {
    http     = [{ Sid = "Table", Effect = "Allow", Action = "dynamodb:GetItem", Resource = "arn:aws:dynamodb:eu-central-1:111122223333:table/t" }]
    schedule = []
  }
}

run "each_function_has_a_role_and_a_log_group_of_its_own" {
  command = plan
  module {
    source = "./modules/functions"
  }
  assert {
    condition     = aws_lambda_function.this["http"].runtime == "python3.13" && aws_lambda_function.this["http"].architectures[0] == "arm64"
    error_message = "another runtime"
  }
  assert {
    condition     = aws_lambda_function.this["http"].reserved_concurrent_executions == -1 && aws_lambda_function.this["schedule"].reserved_concurrent_executions == 1
    error_message = "another concurrency"
  }
  assert {
    condition     = [for role in aws_iam_role.this : role.name] == ["veilcast-acme-http", "veilcast-acme-schedule"]
    error_message = "roles are shared"
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 30])
    error_message = "logs are kept for ever"
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this["http"].policy).Statement : s.Sid] == ["Logs", "Table"]
    error_message = "it may do something else"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this["schedule"].policy).Statement[0].Resource == "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/veilcast-acme-schedule:log-stream:*"
    error_message = "it may write into other logs"
  }
}

run "functions_refuse_what_lambda_would" {
  command = plan
  module {
    source = "./modules/functions"
  }
  variables {
    functions = {
      http     = { description = "answers", handler = "a.b", memory = 64, timeout = 29 }
      schedule = { description = "does what is due", handler = "a.c", memory = 512, timeout = 55, concurrency = 0 }
    }
    log_days = 2
  }
  expect_failures = [var.functions, var.log_days]
}

run "functions_refuse_a_package_that_is_not_there" {
  command = plan
  module {
    source = "./modules/functions"
  }
  variables {
    package = "./nothing.zip"
  }
  expect_failures = [var.package]
}

run "the_api_is_throttled_and_logs_no_query" {
  command = apply
  module {
    source = "./modules/api"
  }
  variables {
    invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/f/invocations"
  }
  assert {
    condition     = one(aws_apigatewayv2_stage.default.default_route_settings).throttling_rate_limit == 200
    error_message = "not throttled"
  }
  assert {
    condition     = aws_apigatewayv2_integration.http.payload_format_version == "2.0" && aws_apigatewayv2_route.default.route_key == "$default"
    error_message = "another form"
  }
  assert {
    condition     = !strcontains(lower(one(aws_apigatewayv2_stage.default.access_log_settings).format), "query")
    error_message = "keys would be logged"
  }
  assert {
    condition     = output.url == "https://abcdef1234.execute-api.eu-central-1.amazonaws.com" && length(aws_apigatewayv2_domain_name.this) == 0
    error_message = "another address"
  }
}

run "the_api_under_a_name_of_ones_own_has_no_other" {
  command = plan
  module {
    source = "./modules/api"
  }
  variables {
    invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/f/invocations"
    domain     = { name = "live.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/c" }
  }
  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint && output.url == "https://live.example.com"
    error_message = "it answers under two names"
  }
  assert {
    condition     = one(aws_apigatewayv2_domain_name.this[0].domain_name_configuration).security_policy == "TLS_1_2"
    error_message = "old TLS"
  }
}

run "the_api_refuses_no_rate_and_no_certificate" {
  command = plan
  module {
    source = "./modules/api"
  }
  variables {
    invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/f/invocations"
    domain     = { name = "live.example.com", certificate_arn = "live.pem" }
    rate       = 0
  }
  expect_failures = [var.domain, var.rate]
}

run "the_schedule_calls_one_function_every_minute" {
  command = plan
  module {
    source = "./modules/schedules"
  }
  variables {
    failed_queue_arn = "arn:aws:sqs:eu-central-1:111122223333:veilcast-acme-failed"
  }
  assert {
    condition     = aws_scheduler_schedule.minute.schedule_expression == "rate(1 minute)" && aws_scheduler_schedule.minute.group_name == "veilcast-acme"
    error_message = "another schedule"
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this.policy).Statement : s.Resource] == [var.function_arn, var.failed_queue_arn]
    error_message = "it may call others"
  }
}

run "somebody_is_told" {
  command = apply
  module {
    source = "./modules/observability"
  }
  variables {
    functions      = { http = "veilcast-acme-http", schedule = "veilcast-acme-schedule" }
    table          = "veilcast-acme"
    api_id         = "abcdef1234"
    failed_queue   = "veilcast-acme-failed"
    email          = "you@example.com"
    monthly_budget = 50
  }
  assert {
    condition     = length(output.alarms) == 4 + 2 * 2 + 1
    error_message = "another number of alarms"
  }
  assert {
    condition = (aws_cloudwatch_metric_alarm.this["unverified-frames"].threshold == 0
      && aws_cloudwatch_metric_alarm.this["unverified-frames"].namespace == "Veilcast"
      && aws_cloudwatch_metric_alarm.this["unverified-frames"].metric_name == "UnverifiedFrames"
    && aws_cloudwatch_metric_alarm.this["unverified-frames"].dimensions == tomap({ fleet = "acme" }))
    error_message = "an unverified frame goes unseen"
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_actions) == 1])
    error_message = "an alarm tells nobody"
  }
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 1 && aws_budgets_budget.this[0].limit_amount == "50"
    error_message = "no letter or no budget"
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 6
    error_message = "another dashboard"
  }
}

run "nobody_need_be_told" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    functions    = { schedule = "veilcast-acme-schedule" }
    table        = "veilcast-acme"
    api_id       = "abcdef1234"
    failed_queue = "veilcast-acme-failed"
  }
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0 && length(aws_budgets_budget.this) == 0
    error_message = "a letter or a budget too many"
  }
}

run "observability_refuses_nonsense" {
  command = plan
  module {
    source = "./modules/observability"
  }
  variables {
    functions      = { http = "veilcast-acme-http", schedule = "veilcast-acme-schedule" }
    table          = "veilcast-acme"
    api_id         = "abcdef1234"
    failed_queue   = "veilcast-acme-failed"
    email          = "you"
    monthly_budget = 0
  }
  expect_failures = [var.email, var.monthly_budget]
}
