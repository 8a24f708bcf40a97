# nginx with its RTMP module on Fargate, behind a network load balancer; CloudFront serves the HLS.
# One task: segments lie on its own disk, so a second one would not know the first one's streams.

locals {
  rtmp_port = 1935
  http_port = 8080
  nginx = templatefile("${path.module}/nginx.conf.tftpl", {
    api       = var.api_url
    api_host  = replace(var.api_url, "https://", "")
    rtmp_port = local.rtmp_port
    http_port = local.http_port
  })
  # The secret reaches the file inside the task alone; it stands in no definition.
  start = "mkdir -p /tmp/hls && printf %s \"$NGINX_CONF\" | sed \"s|@HOOK_SECRET@|$HOOK_SECRET|\" > /tmp/nginx.conf && exec nginx -e stderr -c /tmp/nginx.conf"
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "disabled" # its price is above the task's own
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/veilcast/${var.name}/ingest"
  retention_in_days = var.log_days
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.name}-ingest"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn # the task itself has no role: it asks AWS nothing

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([{
    name         = "nginx"
    image        = var.image
    essential    = true
    command      = ["sh", "-c", local.start]
    environment  = [{ name = "NGINX_CONF", value = local.nginx }]
    secrets      = [{ name = "HOOK_SECRET", valueFrom = "${var.hook_secret_arn}:secret::" }]
    portMappings = [for port in [local.rtmp_port, local.http_port] : { containerPort = port, hostPort = port, protocol = "tcp" }]
    ulimits      = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = var.place.region
        "awslogs-stream-prefix" = "nginx"
      }
    }
  }])
}

resource "aws_ecs_service" "this" {
  name                               = "ingest"
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.this.arn
  launch_type                        = "FARGATE"
  desired_count                      = 1
  deployment_minimum_healthy_percent = 0 # never two at once, see above
  deployment_maximum_percent         = 100

  network_configuration {
    subnets          = local.subnets
    security_groups  = [aws_security_group.task.id]
    assign_public_ip = true # the way out to the API without a NAT gateway
  }

  dynamic "load_balancer" {
    for_each = aws_lb_target_group.this
    content {
      target_group_arn = load_balancer.value.arn
      container_name   = "nginx"
      container_port   = load_balancer.value.port
    }
  }

  depends_on = [aws_lb_listener.rtmp, aws_lb_listener.http]
}

resource "aws_iam_role" "execution" {
  name = "${var.name}-ingest-execution"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.place.account } }
    }]
  })
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${var.place.partition}:logs:${var.place.region}:${var.place.account}:log-group:/veilcast/${var.name}/ingest:log-stream:*"
      },
      {
        Sid      = "Secret"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = var.hook_secret_policy_arn
      },
      {
        # A token for the registry is for the account's whole registry: AWS knows no resource here.
        Sid      = "Registry"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
      {
        Sid      = "Image"
        Effect   = "Allow"
        Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = "arn:${var.place.partition}:ecr:${var.place.region}:${var.place.account}:repository/${var.repository}"
      },
    ]
  })
}

resource "aws_cloudfront_distribution" "hls" {
  comment         = "${var.name}: HLS"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class

  origin {
    origin_id   = "nginx"
    domain_name = aws_lb.this.dns_name
    custom_origin_config {
      http_port              = local.http_port
      https_port             = 443
      origin_protocol_policy = "http-only" # within AWS; what is served is public
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }

  default_cache_behavior {
    target_origin_id           = "nginx"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    cache_policy_id            = aws_cloudfront_cache_policy.hls.id # nginx says how long: playlists 1 s
    response_headers_policy_id = local.cors
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}

locals {
  cors = "60669652-455b-4ae9-85a4-c4c02393f86c" # CloudFront's own policy: any page may play it
}

resource "aws_cloudfront_cache_policy" "hls" {
  name        = "${var.name}-hls"
  min_ttl     = 0
  default_ttl = 1
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
