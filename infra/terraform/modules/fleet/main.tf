# Who a device is. A thing is called {fleet}:{agent} and has both as attributes, which only the control
# plane or the template's hook may set; both refuse what is no id, so no attribute holds a wildcard.

locals {
  arn      = "arn:${var.place.partition}:iot:${var.place.region}:${var.place.account}"
  agent    = "$${iot:Connection.Thing.Attributes[agent]}"
  own      = "veilcast/v1/${var.fleet}/${local.agent}"
  template = var.name # of 36 characters at most
  # What follows the agent's prefix, as in fleet_contract.topics.
  kept    = ["status", "reported", "streams/*/state"]
  passing = ["telemetry", "ack/*"]
  heard   = ["status", "desired", "cmd/+"]
}

resource "aws_iot_thing_type" "agent" {
  name = "${var.name}-agent"
  properties {
    description           = "A device that runs the Veilcast agent."
    searchable_attributes = ["fleet", "agent"]
  }
}

# One policy for all devices. At most 2,048 characters, so an agent may receive all below its prefix;
# it gets no more than what it may subscribe to. Agents connect as {fleet}.{agent}, which needs their
# certificate to be attached to their thing alone; devices of the template under their thing's name.
resource "aws_iot_policy" "device" {
  name = "${var.name}-device"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = "iot:Connect"
        Resource = [
          "${local.arn}:client/${var.fleet}.${local.agent}",
          "${local.arn}:client/${var.fleet}:${local.agent}",
        ]
        Condition = { Bool = { "iot:Connection.Thing.IsAttached" = "true" } }
      },
      {
        Effect   = "Allow"
        Action   = ["iot:Publish", "iot:RetainPublish"]
        Resource = [for tail in local.kept : "${local.arn}:topic/${local.own}/${tail}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Publish"
        Resource = [for tail in local.passing : "${local.arn}:topic/${local.own}/${tail}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Subscribe"
        Resource = [for tail in local.heard : "${local.arn}:topicfilter/${local.own}/${tail}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Receive"
        Resource = "${local.arn}:topic/${local.own}/*"
      },
    ]
  })
}

# What a claim certificate may do: ask for a certificate and be provisioned, nothing else.
resource "aws_iot_policy" "claim" {
  name = "${var.name}-claim"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "iot:Connect"
        Resource = "${local.arn}:client/${var.fleet}.claim-*"
      },
      {
        Effect   = "Allow"
        Action   = ["iot:Publish", "iot:Receive"]
        Resource = [for topic in local.claim_topics : "${local.arn}:topic/${topic}"]
      },
      {
        Effect   = "Allow"
        Action   = "iot:Subscribe"
        Resource = [for topic in local.claim_topics : "${local.arn}:topicfilter/${topic}"]
      },
    ]
  })
}

locals {
  claim_topics = [
    "$aws/certificates/create-from-csr/json*",
    "$aws/provisioning-templates/${local.template}/provision/json*",
  ]
}

resource "aws_iot_provisioning_template" "device" {
  name                  = local.template
  description           = "Devices of the fleet ${var.fleet}, by claim."
  enabled               = true
  provisioning_role_arn = aws_iam_role.provisioning.arn

  pre_provisioning_hook {
    target_arn      = var.hook_arn
    payload_version = "2020-04-01"
  }

  template_body = jsonencode({
    Parameters = {
      Agent                       = { Type = "String" }
      Claim                       = { Type = "String" }
      "AWS::IoT::Certificate::Id" = { Type = "String" }
    }
    Resources = {
      thing = {
        Type = "AWS::IoT::Thing"
        Properties = {
          ThingName        = { "Fn::Join" = ["", ["${var.fleet}:", { Ref = "Agent" }]] }
          ThingTypeName    = aws_iot_thing_type.agent.name
          AttributePayload = { fleet = var.fleet, agent = { Ref = "Agent" } }
        }
        OverrideSettings = { AttributePayload = "REPLACE", ThingTypeName = "REPLACE" }
      }
      certificate = {
        Type       = "AWS::IoT::Certificate"
        Properties = { CertificateId = { Ref = "AWS::IoT::Certificate::Id" }, Status = "Active" }
      }
      policy = {
        Type       = "AWS::IoT::Policy"
        Properties = { PolicyName = aws_iot_policy.device.name }
      }
    }
  })
}

resource "aws_lambda_permission" "hook" {
  statement_id   = "iot-provisioning"
  action         = "lambda:InvokeFunction"
  function_name  = var.hook_arn
  principal      = "iot.amazonaws.com"
  source_account = var.place.account
  source_arn     = "${local.arn}:provisioningtemplate/${local.template}"
}

resource "aws_iam_role" "provisioning" {
  name = "${var.name}-iot-provisioning"
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

resource "aws_iam_role_policy" "provisioning" {
  name = "provision"
  role = aws_iam_role.provisioning.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Things"
        Effect   = "Allow"
        Action   = ["iot:CreateThing", "iot:DescribeThing", "iot:UpdateThing", "iot:ListThingPrincipals"]
        Resource = "${local.arn}:thing/${var.fleet}:*"
      },
      {
        # A certificate's id is its hash: it cannot be named before it exists.
        Sid      = "Certificates"
        Effect   = "Allow"
        Action   = ["iot:AttachThingPrincipal", "iot:DescribeCertificate", "iot:UpdateCertificate"]
        Resource = "${local.arn}:cert/*"
      },
      {
        # iot:AttachPolicy is judged by what a policy is attached to; AWS has no way to name the policy.
        Sid      = "Policy"
        Effect   = "Allow"
        Action   = "iot:AttachPolicy"
        Resource = "${local.arn}:cert/*"
      },
    ]
  })
}
