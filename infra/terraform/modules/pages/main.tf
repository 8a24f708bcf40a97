# CloudFront in front of the API, so that viewers load pages from near by. Kept are scripts, styles and
# pictures of the pages for a while, and the public listings for seconds; other answers never are.

locals {
  # CloudFront's own policies, which have the same ids everywhere.
  caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  all_but_host     = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
  behaviours = concat(
    [for path in ["*.js", "*.css", "*.svg"] : { path = path, policy = aws_cloudfront_cache_policy.kept.id }],
    [for path in ["/v1/directory*", "/v1/categories"] : { path = path, policy = aws_cloudfront_cache_policy.listings.id }],
  )
}

# The same for everybody, and polled by every viewer: kept for as long as the API says, 2 s.
resource "aws_cloudfront_cache_policy" "listings" {
  name        = "${var.name}-listings"
  min_ttl     = 0
  default_ttl = 0
  max_ttl     = 5
  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true
    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "all"
    }
  }
}

resource "aws_cloudfront_cache_policy" "kept" {
  name        = "${var.name}-pages"
  min_ttl     = 0
  default_ttl = 60
  max_ttl     = 300
  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true
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
  comment         = "${var.name}: pages and API"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class
  aliases         = var.domain == null ? [] : [var.domain.name]
  web_acl_id      = var.web_acl_arn

  origin {
    origin_id   = "api"
    domain_name = var.origin
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }

  default_cache_behavior {
    target_origin_id         = "api"
    viewer_protocol_policy   = "redirect-to-https"
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods           = ["GET", "HEAD"]
    cache_policy_id          = local.caching_disabled
    origin_request_policy_id = local.all_but_host
    compress                 = true
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.behaviours
    content {
      path_pattern           = ordered_cache_behavior.value.path
      target_origin_id       = "api"
      viewer_protocol_policy = "redirect-to-https"
      allowed_methods        = ["GET", "HEAD"]
      cached_methods         = ["GET", "HEAD"]
      cache_policy_id        = ordered_cache_behavior.value.policy
      compress               = true
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = var.domain == null ? null : var.domain.certificate_arn
    ssl_support_method             = var.domain == null ? null : "sni-only"
    minimum_protocol_version       = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
  }
}
