# What each function may do, written out. ARNs are made of names, so all of it is known before anything
# is made, and can be checked.

locals {
  iot_arn     = "arn:${local.place.partition}:iot:${local.place.region}:${local.place.account}"
  ivs_arn     = "arn:${local.place.partition}:ivs:${local.place.region}:${local.place.account}"
  secrets_arn = "arn:${local.place.partition}:secretsmanager:${local.place.region}:${local.place.account}:secret:${local.secrets}"

  secret_names = toset(["ingest-hook", "tuf-snapshot", "tuf-timestamp"])

  own_channel = { StringEquals = { "aws:ResourceTag/veilcast:fleet" = var.fleet } }

  may = {
    use_table = {
      Sid    = "Table"
      Effect = "Allow"
      Action = [
        "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
        "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
      ]
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
    # Topics of a device that is gone are cleared, whoever wrote them.
    clear_topics = {
      Sid    = "ClearTopics"
      Effect = "Allow"
      Action = ["iot:Publish", "iot:RetainPublish"]
      Resource = [
        "${local.iot_arn}:topic/veilcast/v1/${var.fleet}/*/status",
        "${local.iot_arn}:topic/veilcast/v1/${var.fleet}/*/reported",
        "${local.iot_arn}:topic/veilcast/v1/${var.fleet}/*/streams/*/state",
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
        "iot:AttachThingPrincipal", "iot:DeleteCertificate", "iot:DescribeCertificate", "iot:DetachThingPrincipal",
        "iot:ListPrincipalThings", "iot:UpdateCertificate",
      ]
      Resource = "${local.iot_arn}:cert/*"
    }
    attach_policy = {
      # Judged by what a policy is attached to; AWS has no way to name the policy.
      Sid      = "Policy"
      Effect   = "Allow"
      Action   = ["iot:AttachPolicy", "iot:DetachPolicy"]
      Resource = "${local.iot_arn}:cert/*"
    }
    keep_things = {
      Sid      = "Things"
      Effect   = "Allow"
      Action   = ["iot:CreateThing", "iot:DeleteThing", "iot:DescribeThing", "iot:ListThingPrincipals", "iot:UpdateThing"]
      Resource = "${local.iot_arn}:thing/${var.fleet}:*"
    }
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
    publish_models = {
      Sid      = "PublishModels"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:PutObject"]
      Resource = "${module.models.bucket_arn}/*"
    }
    renew_models = {
      Sid      = "RenewModels"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${module.models.bucket_arn}/metadata/*"
    }
    list_uploads = {
      Sid      = "ListUploads"
      Effect   = "Allow"
      Action   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
      Resource = module.uploads.bucket_arn
    }
    keep_uploads = {
      # Pre-signed addresses carry the rights of whoever signs: a device gets one object of these.
      Sid    = "Uploads"
      Effect = "Allow"
      Action = [
        "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject",
      ]
      Resource = "${module.uploads.bucket_arn}/${var.fleet}/*"
    }
    make_channels = {
      # Channels get their ids from AWS; the tag says whose they are.
      Sid       = "MakeChannels"
      Effect    = "Allow"
      Action    = ["ivs:CreateChannel", "ivs:CreateStreamKey", "ivs:TagResource"]
      Resource  = ["${local.ivs_arn}:channel/*", "${local.ivs_arn}:stream-key/*"]
      Condition = { StringEquals = { "aws:RequestTag/veilcast:fleet" = var.fleet } }
    }
    keep_channels = {
      Sid    = "Channels"
      Effect = "Allow"
      Action = [
        "ivs:DeleteChannel", "ivs:DeleteStreamKey", "ivs:GetChannel", "ivs:GetStream", "ivs:GetStreamKey",
        "ivs:ListStreamKeys", "ivs:StopStream",
      ]
      Resource  = ["${local.ivs_arn}:channel/*", "${local.ivs_arn}:stream-key/*"]
      Condition = local.own_channel
    }
    see_channels = {
      Sid       = "SeeChannels"
      Effect    = "Allow"
      Action    = ["ivs:GetChannel", "ivs:GetStream"]
      Resource  = "${local.ivs_arn}:channel/*"
      Condition = local.own_channel
    }
    list_channels = {
      # A list is of all: tags cannot narrow it.
      Sid      = "ListChannels"
      Effect   = "Allow"
      Action   = ["ivs:ListChannels", "ivs:ListStreams"]
      Resource = "${local.ivs_arn}:channel/*"
    }
    read_secrets = {
      Sid      = "Secrets"
      Effect   = "Allow"
      Action   = "secretsmanager:GetSecretValue"
      Resource = "${local.secrets_arn}/*"
    }
  }

  on_ivs = var.ingest == "ivs"

  access = {
    http = concat(
      [
        local.may.use_table, local.may.tell_devices, local.may.clear_topics, local.may.certify,
        local.may.keep_certificates, local.may.attach_policy, local.may.keep_things, local.may.list_models,
        local.may.read_models, local.may.publish_models, local.may.list_uploads, local.may.keep_uploads,
        local.may.read_secrets,
      ],
      [for each in [local.may.make_channels, local.may.keep_channels, local.may.list_channels] : each if local.on_ivs],
    )
    messages = [local.may.use_table, local.may.tell_devices, local.send_failed]
    schedule = concat(
      [
        local.may.use_table, local.may.tell_devices, local.may.clear_topics, local.may.keep_certificates,
        local.may.attach_policy, local.may.list_models, local.may.read_models, local.may.renew_models, local.may.read_secrets,
      ],
      [for each in [local.may.keep_channels, local.may.list_channels] : each if local.on_ivs],
    )
    provisioning = [local.may.use_table]
    ivs          = concat([local.may.use_table], [for each in [local.may.see_channels] : each if local.on_ivs])
  }

  # Lambda itself puts what failed into the queue, with the function's role.
  send_failed = {
    Sid      = "Failed"
    Effect   = "Allow"
    Action   = "sqs:SendMessage"
    Resource = module.messages.failed_queue_arn
  }
}
