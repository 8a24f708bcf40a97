# The TUF repository: a private bucket that only its CloudFront distribution reads.

module "bucket" {
  source        = "../bucket"
  name          = var.bucket
  partition     = var.place.partition
  force_destroy = var.force_destroy
  statements = [
    {
      Sid       = "CloudFrontReads"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "arn:${var.place.partition}:s3:::${var.bucket}/*"
      Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.this.arn } }
    }
  ]
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = var.name
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# A device must see a new timestamp soon: metadata is kept for a minute at most.
resource "aws_cloudfront_cache_policy" "metadata" {
  name        = "${var.name}-metadata"
  min_ttl     = 0
  default_ttl = 30
  max_ttl     = 60
  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

# Targets carry their hash in their name and never change.
resource "aws_cloudfront_cache_policy" "targets" {
  name        = "${var.name}-targets"
  min_ttl     = 3600
  default_ttl = 86400
  max_ttl     = 31536000
  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  comment         = "${var.name}: signed models for devices"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class

  origin {
    origin_id                = "bucket"
    domain_name              = module.bucket.domain
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id
  }

  default_cache_behavior {
    target_origin_id       = "bucket"
    viewer_protocol_policy = "https-only"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    cache_policy_id        = aws_cloudfront_cache_policy.metadata.id
  }

  ordered_cache_behavior {
    path_pattern           = "targets/*"
    target_origin_id       = "bucket"
    viewer_protocol_policy = "https-only"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    cache_policy_id        = aws_cloudfront_cache_policy.targets.id
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  # CloudFront's own name: its certificate fixes the TLS versions. TUF's signatures guard the content.
  viewer_certificate {
    cloudfront_default_certificate = true
  }
}
