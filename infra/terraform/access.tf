# What each function may do, written out. ARNs are made of names, so all of it is known before anything
# is made, and can be checked.

locals {
  iot_arn     = "arn:${local.place.partition}:iot:${local.place.region}:${local.place.account}"
  ivs_arn     = "arn:${local.place.partition}:ivs:${local.place.region}:${local.place.account}"
  secrets_arn = "arn:${local.place.partition}:secretsmanager:${local.place.region}:${local.place.account}:secret:${local.secrets}"

  secret_names = toset(["ingest-hook", "models-online"])

  may = {
    # Transactions are allowed by what they are made of.
    use_table = {
      Sid      = "Table"
      Effect   = "Allow"
      Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
      Resource = module.state.arn
    }
    tell_devices = {
      Sid    = "TellDevices"
      Effect = "Allow"
      Action = ["iot:Publish", "iot:RetainPublish"]
      Resource = [
        "${local.iot_arn}:topic/veilcast/v1/${var.fleet}/*/desired",
        "${local.iot_arn}:topic/veilcast/v1/${var.fleet}/*/cmd/*",
      ]
    }
    certify = {
      # AWS knows no resource for a certificate that is not there yet.
      Sid      = "Certify"
      Effect   = "Allow"
      Action   = "iot:CreateCertificateFromCsr"
      Resource = "*"
    }
    keep_certificates = {
      # A certificate's id is its hash: it cannot be named before it exists.
      Sid    = "Certificates"
      Effect = "Allow"
      Action = [
        "iot:AttachThingPrincipal", "iot:DescribeCertificate", "iot:DetachThingPrincipal",
        "iot:ListPrincipalThings", "iot:UpdateCertificate",
      ]
      Resource = "${local.iot_arn}:cert/*"
    }
    see_policies = {
      # AWS knows no resource here.
      Sid      = "SeePolicies"
      Effect   = "Allow"
      Action   = "iot:ListAttachedPolicies"
      Resource = "*"
    }
    attach_policy = {
      # Judged by what a policy is attached to; AWS has no way to name the policy.
      Sid      = "Policy"
      Effect   = "Allow"
      Action   = ["iot:AttachPolicy", "iot:DetachPolicy"]
      Resource = "${local.iot_arn}:cert/*"
    }
    make_things = {
      Sid      = "Things"
      Effect   = "Allow"
      Action   = "iot:CreateThing"
      Resource = "${local.iot_arn}:thing/${var.fleet}:*"
    }
    # Without it S3 says of what is not there that it is forbidden.
    list_models = {
      Sid      = "ListModels"
      Effect   = "Allow"
      Action   = "s3:ListBucket"
      Resource = module.models.bucket_arn
    }
    read_models = {
      Sid      = "ReadModels"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${module.models.bucket_arn}/*"
    }
    # New models are published by people with rights of their own, see docs/aws.md.
    renew_models = {
      Sid      = "RenewModels"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${module.models.bucket_arn}/metadata/*"
    }
    tidy_models = {
      Sid      = "TidyModels"
      Effect   = "Allow"
      Action   = "s3:DeleteObject"
      Resource = "${module.models.bucket_arn}/targets/*"
    }
    list_uploads = {
      Sid      = "ListUploads"
      Effect   = "Allow"
      Action   = "s3:ListBucket"
      Resource = module.uploads.bucket_arn
    }
    # A pre-signed address carries the rights of whoever signs: a device gets one object of these.
    take_uploads = {
      Sid      = "Uploads"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "${module.uploads.bucket_arn}/${var.fleet}/*"
    }
    # Channels get their ids from AWS; the tag says whose they are.
    make_channels = {
      Sid       = "MakeChannels"
      Effect    = "Allow"
      Action    = ["ivs:CreateChannel", "ivs:CreateStreamKey", "ivs:TagResource"]
      Resource  = ["${local.ivs_arn}:channel/*", "${local.ivs_arn}:stream-key/*"]
      Condition = { StringEquals = { "aws:RequestTag/veilcast:fleet" = var.fleet } }
    }
    keep_channels = {
      Sid       = "Channels"
      Effect    = "Allow"
      Action    = ["ivs:DeleteChannel", "ivs:ListStreamKeys", "ivs:StopStream"]
      Resource  = "${local.ivs_arn}:channel/*"
      Condition = { StringEquals = { "aws:ResourceTag/veilcast:fleet" = var.fleet } }
    }
    # The key that IVS makes with a channel has no tag.
    keep_keys = {
      Sid      = "StreamKeys"
      Effect   = "Allow"
      Action   = ["ivs:DeleteChannel", "ivs:DeleteStreamKey", "ivs:ListStreamKeys"]
      Resource = "${local.ivs_arn}:stream-key/*"
    }
    # A list is of all: tags cannot narrow it.
    list_channels = {
      Sid      = "ListChannels"
      Effect   = "Allow"
      Action   = "ivs:ListChannels"
      Resource = "${local.ivs_arn}:channel/*"
    }
    read_secrets = {
      Sid      = "Secrets"
      Effect   = "Allow"
      Action   = "secretsmanager:GetSecretValue"
      Resource = [for name in local.secret_names : "${local.secrets_arn}/${name}-*"]
    }
  }

  ivs = var.ingest == "ivs" ? ["keep_channels", "keep_keys", "list_channels"] : []

  access_names = {
    http = concat(
      [
        "use_table", "tell_devices", "certify", "keep_certificates", "see_policies", "attach_policy", "make_things",
        "list_models", "read_models", "list_uploads", "take_uploads", "read_secrets",
      ],
      var.ingest == "ivs" ? ["make_channels"] : [],
      local.ivs,
    )
    messages = ["use_table"]
    schedule = concat(
      [
        "use_table", "tell_devices", "keep_certificates", "see_policies", "attach_policy", "list_models", "read_models",
        "renew_models", "tidy_models", "read_secrets",
      ],
      local.ivs,
    )
    provisioning = ["use_table", "tell_devices"]
    ivs          = ["use_table"]
  }

  access = { for function, names in local.access_names : function => concat(
    [for name in names : local.may[name]],
    function == "messages" ? [local.send_failed] : [],
  ) }

  # Lambda itself puts what failed into the queue, with the function's role.
  send_failed = {
    Sid      = "Failed"
    Effect   = "Allow"
    Action   = "sqs:SendMessage"
    Resource = module.messages.failed_queue_arn
  }
}
