mock_provider "aws" {
  source = "./tests/mocks"
}

# The whole.

variables {
  fleet   = "acme"
  region  = "eu-central-1"
  package = "./tests/mocks/aws.tfmock.hcl" # any file does
}

run "a_fleet_on_ivs" {
  command = apply
  variables {
    record = true
  }
  assert {
    condition = output.environment == tomap({
      VEILCAST_AWS_FLEET          = "acme"
      VEILCAST_AWS_TABLE          = "veilcast-acme"
      VEILCAST_AWS_IOT_ENDPOINT   = "example-ats.iot.eu-central-1.amazonaws.com"
      VEILCAST_AWS_IOT_POLICY     = "veilcast-acme-device"
      VEILCAST_AWS_MODELS_BUCKET  = "veilcast-acme-models-111122223333"
      VEILCAST_AWS_MODELS_URL     = "https://example.cloudfront.net"
      VEILCAST_AWS_UPLOADS_BUCKET = "veilcast-acme-uploads-111122223333"
      VEILCAST_AWS_URL            = "https://example.cloudfront.net"
      VEILCAST_AWS_INGEST         = "ivs"
      VEILCAST_AWS_INGEST_URL     = ""
      VEILCAST_AWS_HLS_URL        = ""
      VEILCAST_AWS_SECRETS        = "veilcast/acme"
      VEILCAST_AWS_IVS_TYPE       = "BASIC"
      VEILCAST_AWS_RECORDING      = "arn:aws:ivs:eu-central-1:111122223333:recording-configuration/example"
    })
    error_message = "the functions are told something else"
  }
  assert {
    condition     = strcontains(output.shell, "export VEILCAST_CONTROL='https://example.cloudfront.net'") && strcontains(output.shell, "export VEILCAST_AWS_TABLE='veilcast-acme'")
    error_message = "the shell is told something else"
  }
  assert {
    condition     = length(module.ingest_ivs) == 1 && length(module.ingest_self_hosted) == 0 && length(module.pages) == 1
    error_message = "other parts"
  }
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 7])
    error_message = "keys are gone at once"
  }
  assert {
    condition     = output.publish_url == null
    error_message = "there is an ingest too many"
  }
}

run "a_fleet_with_an_ingest_of_its_own" {
  command = apply
  variables {
    ingest        = "self-hosted"
    ingest_image  = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/veilcast-acme-ingest:1"
    region        = "eu-north-1"
    pages         = false
    force_destroy = true
    concurrency   = { messages = 50 }
  }
  assert {
    condition     = length(module.ingest_ivs) == 0 && length(module.ingest_self_hosted) == 1 && length(module.pages) == 0
    error_message = "other parts"
  }
  assert {
    condition     = output.environment.VEILCAST_AWS_INGEST_URL == "rtmp://example.elb.eu-central-1.amazonaws.com:1935/live" && output.environment.VEILCAST_AWS_RECORDING == ""
    error_message = "the functions are told of another ingest"
  }
  assert {
    condition     = output.url == "https://abcdef1234.execute-api.eu-central-1.amazonaws.com"
    error_message = "another address"
  }
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 0])
    error_message = "keys stay for a while"
  }
  assert {
    condition     = !anytrue([for s in concat(local.access.http, local.access.schedule) : startswith(flatten([s.Action])[0], "ivs:")])
    error_message = "rights that are not needed"
  }
}

run "the_root_refuses_nonsense" {
  command = plan
  variables {
    fleet       = "Acme!"
    concurrency = { video = 1 }
  }
  expect_failures = [var.fleet, var.concurrency]
}

run "an_ingest_that_is_none_is_refused" {
  command = plan
  variables {
    ingest = "webrtc"
  }
  expect_failures = [var.ingest]
}

run "ivs_is_refused_where_it_is_not" {
  command = plan
  variables {
    region = "eu-north-1"
  }
  expect_failures = [var.ingest]
}

run "an_ingest_of_ones_own_needs_an_image" {
  command = plan
  variables {
    ingest = "self-hosted"
  }
  expect_failures = [var.ingest]
}

run "an_ingest_of_ones_own_needs_a_short_name" {
  command = plan
  variables {
    fleet        = "a-fleet-of-17-cha"
    ingest       = "self-hosted"
    ingest_image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/i:1"
  }
  expect_failures = [var.ingest]
}
