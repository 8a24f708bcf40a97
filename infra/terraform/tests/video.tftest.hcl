mock_provider "aws" {
  source = "./tests/mocks"
}

# The modules ingest-ivs, ingest-self-hosted and pages.

variables {
  name         = "veilcast-acme"
  fleet        = "acme"
  place        = { partition = "aws", region = "eu-central-1", account = "111122223333" }
  function_arn = "arn:aws:lambda:eu-central-1:111122223333:function:veilcast-acme-ivs"

  recordings_bucket = "veilcast-acme-uploads-111122223333"

  image                  = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/veilcast-acme-ingest:1"
  repository             = "veilcast-acme-ingest"
  api_url                = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com"
  hook_secret_arn        = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:veilcast/acme/ingest-hook-AbCdEf"
  hook_secret_policy_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:veilcast/acme/ingest-hook-*"
}

run "ivs_tells_of_the_fleets_channels_alone" {
  command = plan
  module {
    source = "./modules/ingest-ivs"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern).detail.channel_name[0].prefix == "veilcast-acme-"
    error_message = "other channels are heard"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern)["detail-type"] == ["IVS Stream State Change", "IVS Recording State Change"]
    error_message = "other news"
  }
  assert {
    condition     = length(aws_ivs_recording_configuration.this) == 0
    error_message = "it records unasked"
  }
}

run "ivs_records_if_so_asked" {
  command = plan
  module {
    source = "./modules/ingest-ivs"
  }
  variables {
    record = true
  }
  assert {
    condition     = one(one(aws_ivs_recording_configuration.this[0].destination_configuration).s3).bucket_name == "veilcast-acme-uploads-111122223333"
    error_message = "it records elsewhere"
  }
}

run "the_self_hosted_ingest_makes_its_network" {
  command = plan
  module {
    source = "./modules/ingest-self-hosted"
  }
  assert {
    condition     = length(aws_vpc.this) == 1 && length(aws_subnet.this) == 2 && aws_subnet.this[1].cidr_block == "10.87.0.64/26"
    error_message = "another network"
  }
  assert {
    condition     = aws_ecs_service.this.desired_count == 1 && aws_ecs_service.this.deployment_maximum_percent == 100
    error_message = "two tasks would not know each other's streams"
  }
  assert {
    condition     = one(aws_ecs_task_definition.this.runtime_platform).cpu_architecture == "ARM64" && aws_ecs_task_definition.this.task_role_arn == null
    error_message = "another processor, or rights that it does not need"
  }
  assert {
    condition     = aws_lb_listener.rtmp.port == 1935 && aws_lb_listener.rtmp.protocol == "TCP"
    error_message = "another port"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.hls.prefix_list_id == "pl-0123456789abcdef0"
    error_message = "HLS is open to others than CloudFront"
  }
  assert {
    condition     = !anytrue([for rule in aws_vpc_security_group_ingress_rule.task : rule.cidr_ipv4 != null])
    error_message = "the task can be reached past the load balancer"
  }
}

run "the_self_hosted_ingest_takes_a_network_and_a_certificate" {
  command = apply
  module {
    source = "./modules/ingest-self-hosted"
  }
  variables {
    network         = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"] }
    certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/c"
  }
  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_internet_gateway.this) == 0 && aws_lb.this.subnets == toset(["subnet-1", "subnet-2"])
    error_message = "it makes a network"
  }
  assert {
    condition     = output.publish_url == "rtmps://example.elb.eu-central-1.amazonaws.com:443/live" && aws_lb_listener.rtmp.protocol == "TLS"
    error_message = "publishers use no TLS"
  }
  assert {
    condition     = strcontains(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment[0].value, "set $api https://abcdef1234.execute-api.eu-central-1.amazonaws.com;")
    error_message = "nginx asks somebody else"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].secrets[0].valueFrom == "${var.hook_secret_arn}:secret::"
    error_message = "the secret stands in the definition"
  }
}

run "the_self_hosted_ingest_refuses_bad_networks_and_long_names" {
  command = plan
  module {
    source = "./modules/ingest-self-hosted"
  }
  variables {
    name    = "veilcast-a-very-long-name-of-a-fleet"
    network = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"] }
    cidr    = "ten"
  }
  expect_failures = [var.name, var.network, var.cidr]
}

run "pages_keep_only_what_is_the_same_for_all" {
  command = plan
  module {
    source = "./modules/pages"
  }
  variables {
    origin = "abcdef1234.execute-api.eu-central-1.amazonaws.com"
  }
  assert {
    condition     = one(aws_cloudfront_distribution.this.default_cache_behavior).cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    error_message = "answers about people are kept"
  }
  assert {
    condition     = [for b in aws_cloudfront_distribution.this.ordered_cache_behavior : b.path_pattern] == ["*.js", "*.css", "*.svg", "/v1/directory*", "/v1/categories"]
    error_message = "other files are kept"
  }
  assert {
    condition     = aws_cloudfront_cache_policy.listings.max_ttl <= 5 && one(one(aws_cloudfront_cache_policy.listings.parameters_in_cache_key_and_forwarded_to_origin).query_strings_config).query_string_behavior == "all"
    error_message = "listings grow old, or one is shown for another"
  }
}

run "pages_refuse_a_certificate_from_elsewhere_and_an_address_for_a_name" {
  command = plan
  module {
    source = "./modules/pages"
  }
  variables {
    origin = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com"
    domain = { name = "live.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/c" }
  }
  expect_failures = [var.origin, var.domain]
}
