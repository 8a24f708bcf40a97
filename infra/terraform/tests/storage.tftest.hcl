mock_provider "aws" {
  source = "./tests/mocks"
}

# The modules bucket, state, models and uploads.

variables {
  name      = "veilcast-acme"
  place     = { partition = "aws", region = "eu-central-1", account = "111122223333" }
  partition = "aws"
}

run "a_bucket_is_private_versioned_encrypted_and_reached_by_tls_alone" {
  command = plan
  module {
    source = "./modules/bucket"
  }
  variables {
    expire_days = 90
  }
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "the bucket can become public"
  }
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "old versions are not kept"
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "not encrypted"
  }
  assert {
    condition = anytrue([for s in jsondecode(aws_s3_bucket_policy.this.policy).Statement :
    s.Effect == "Deny" && s.Condition.Bool["aws:SecureTransport"] == "false" && length(s.Resource) == 2])
    error_message = "plain HTTP is not refused"
  }
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id] == ["old-versions", "expire"]
    error_message = "objects do not expire"
  }
  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "by default what is in a bucket is not destroyed"
  }
}

run "a_bucket_keeps_objects_without_an_end_if_so_asked" {
  command = plan
  module {
    source = "./modules/bucket"
  }
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id] == ["old-versions"]
    error_message = "there is a rule too many"
  }
}

run "a_bucket_refuses_a_bad_name_and_bad_days" {
  command = plan
  module {
    source = "./modules/bucket"
  }
  variables {
    name             = "Acme_Models"
    expire_days      = 0
    old_version_days = 0
  }
  expect_failures = [var.name, var.expire_days, var.old_version_days]
}

run "the_table_is_as_the_store_needs_it" {
  command = plan
  module {
    source = "./modules/state"
  }
  assert {
    condition     = aws_dynamodb_table.this.hash_key == "kind" && aws_dynamodb_table.this.range_key == "key"
    error_message = "the keys are others"
  }
  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES"
    error_message = "not on demand, or without its stream"
  }
  assert {
    condition     = one(aws_dynamodb_table.this.ttl).attribute_name == "expires" && one(aws_dynamodb_table.this.ttl).enabled
    error_message = "nothing expires"
  }
  assert {
    condition     = one(aws_dynamodb_table.this.point_in_time_recovery).enabled && one(aws_dynamodb_table.this.server_side_encryption).enabled
    error_message = "cannot be restored or is not encrypted"
  }
  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "the table can be deleted by mistake"
  }
  assert {
    condition     = output.arn == "arn:aws:dynamodb:eu-central-1:111122223333:table/veilcast-acme"
    error_message = "another ARN"
  }
}

run "the_table_may_go_if_so_asked" {
  command = plan
  module {
    source = "./modules/state"
  }
  variables {
    force_destroy = true
  }
  assert {
    condition     = !aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "the table cannot be destroyed"
  }
}

run "the_table_refuses_a_bad_name" {
  command = plan
  module {
    source = "./modules/state"
  }
  variables {
    name = "a/b"
  }
  expect_failures = [var.name]
}

run "models_are_read_by_their_distribution_alone" {
  command = apply
  module {
    source = "./modules/models"
  }
  variables {
    bucket = "veilcast-acme-models-111122223333"
  }
  assert {
    condition     = output.url == "https://example.cloudfront.net"
    error_message = "another address"
  }
  assert {
    condition     = one(aws_cloudfront_distribution.this.default_cache_behavior).viewer_protocol_policy == "https-only"
    error_message = "served without TLS"
  }
  assert {
    condition     = aws_cloudfront_origin_access_control.this.signing_behavior == "always"
    error_message = "CloudFront does not sign what it asks"
  }
  assert {
    condition     = aws_cloudfront_cache_policy.metadata.max_ttl <= 60
    error_message = "devices would see an old timestamp"
  }
}

run "models_refuse_a_price_class_that_is_none" {
  command = plan
  module {
    source = "./modules/models"
  }
  variables {
    bucket      = "veilcast-acme-models-111122223333"
    price_class = "cheap"
  }
  expect_failures = [var.price_class]
}

run "uploads_go_after_their_days" {
  command = plan
  module {
    source = "./modules/uploads"
  }
  variables {
    bucket = "veilcast-acme-uploads-111122223333"
  }
  assert {
    condition     = output.bucket_arn == "arn:aws:s3:::veilcast-acme-uploads-111122223333"
    error_message = "another ARN"
  }
}
