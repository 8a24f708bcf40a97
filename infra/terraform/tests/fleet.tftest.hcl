mock_provider "aws" {
  source = "./tests/mocks"
}

# The modules fleet and messages: who a device is, and what it says.

variables {
  name         = "veilcast-acme"
  fleet        = "acme"
  place        = { partition = "aws", region = "eu-central-1", account = "111122223333" }
  hook_arn     = "arn:aws:lambda:eu-central-1:111122223333:function:veilcast-acme-provisioning"
  function_arn = "arn:aws:lambda:eu-central-1:111122223333:function:veilcast-acme-messages"
}

run "a_device_gets_one_policy_and_a_kind" {
  command = plan
  module {
    source = "./modules/fleet"
  }
  assert {
    condition     = aws_iot_policy.device.name == "veilcast-acme-device" && aws_iot_thing_type.agent.name == "veilcast-acme-agent"
    error_message = "other names"
  }
  assert {
    condition     = length(jsonencode(jsondecode(aws_iot_policy.device.policy))) <= 2048
    error_message = "IoT takes 2,048 characters"
  }
  assert {
    condition = alltrue([for s in jsondecode(aws_iot_policy.device.policy).Statement :
    s.Effect == "Allow" && alltrue([for r in flatten([s.Resource]) : strcontains(r, "acme") && strcontains(r, "$${iot:Connection.Thing.Attributes[agent]}")])])
    error_message = "a resource is not the device's own"
  }
}

run "the_longest_names_fit_a_policy" {
  command = plan
  module {
    source = "./modules/fleet"
  }
  variables {
    name  = "veilcast-abcdefghijklmnopqrstuvwx"
    fleet = "abcdefghijklmnopqrstuvwx"
    place = { partition = "aws-us-gov", region = "ap-northeast-1", account = "111122223333" }
  }
  assert {
    condition     = length(aws_iot_policy.device.policy) <= 2048
    error_message = "IoT takes 2,048 characters"
  }
}

run "a_claim_only_asks_for_a_certificate" {
  command = plan
  module {
    source = "./modules/fleet"
  }
  assert {
    condition = alltrue(flatten([for s in jsondecode(aws_iot_policy.claim.policy).Statement : [
      for r in flatten([s.Resource]) : can(regex(":(client/acme\\.claim-|(topic|topicfilter)/\\$aws/(certificates/create-from-csr|provisioning-templates/veilcast-acme/provision)/)", r))
    ]]))
    error_message = "a claim may do something else"
  }
}

run "the_template_asks_the_hook_and_sets_both_attributes" {
  command = apply
  module {
    source = "./modules/fleet"
  }
  assert {
    condition     = one(aws_iot_provisioning_template.device.pre_provisioning_hook).target_arn == var.hook_arn
    error_message = "devices join unasked"
  }
  assert {
    condition     = jsondecode(aws_iot_provisioning_template.device.template_body).Resources.thing.Properties.AttributePayload == { fleet = "acme", agent = { Ref = "Agent" } }
    error_message = "other attributes"
  }
  assert {
    condition     = jsondecode(aws_iot_provisioning_template.device.template_body).Resources.policy.Properties.PolicyName == "veilcast-acme-device"
    error_message = "another policy"
  }
  assert {
    condition     = aws_lambda_permission.hook.source_arn == "arn:aws:iot:eu-central-1:111122223333:provisioningtemplate/veilcast-acme"
    error_message = "others may call the hook"
  }
}

run "a_fleet_refuses_what_is_no_id" {
  command = plan
  module {
    source = "./modules/fleet"
  }
  variables {
    fleet = "acme/+"
  }
  expect_failures = [var.fleet]
}

run "rules_take_what_devices_may_say_and_nothing_else" {
  command = plan
  module {
    source = "./modules/messages"
  }
  assert {
    condition     = toset([for r in aws_iot_topic_rule.this : r.name]) == toset(["veilcast_acme_ack", "veilcast_acme_presence", "veilcast_acme_reported", "veilcast_acme_state", "veilcast_acme_status", "veilcast_acme_telemetry"])
    error_message = "other rules"
  }
  assert {
    condition     = aws_iot_topic_rule.this["state"].sql == "SELECT encode(*, 'base64') AS payload, topic() AS topic FROM 'veilcast/v1/acme/+/streams/+/state'"
    error_message = "another statement"
  }
  assert {
    condition     = !anytrue([for r in aws_iot_topic_rule.this : strcontains(r.sql, "desired") || strcontains(r.sql, "cmd") || strcontains(r.sql, "#")])
    error_message = "the control plane would hear itself"
  }
  assert {
    condition     = endswith(aws_iot_topic_rule.this["presence"].sql, "WHERE startswith(clientId, 'acme.')")
    error_message = "other clients of the account are heard"
  }
  assert {
    condition     = alltrue([for r in aws_iot_topic_rule.this : length(one(r.error_action).sqs) == 1 && one(r.lambda).function_arn == var.function_arn])
    error_message = "a message can get lost unseen"
  }
  assert {
    condition     = length(aws_lambda_permission.rule) == 6 && aws_sqs_queue.failed.sqs_managed_sse_enabled
    error_message = "a rule may not call, or the queue is not encrypted"
  }
}
