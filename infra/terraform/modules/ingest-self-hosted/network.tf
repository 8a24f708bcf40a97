# A small network of its own, unless one is given; and the load balancer.

locals {
  own     = var.network == null
  vpc     = local.own ? aws_vpc.this[0].id : var.network.vpc_id
  subnets = local.own ? aws_subnet.this[*].id : var.network.subnet_ids
}

data "aws_availability_zones" "this" {
  count = local.own ? 1 : 0
  state = "available"
}

resource "aws_vpc" "this" {
  count                = local.own ? 1 : 0
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_internet_gateway" "this" {
  count  = local.own ? 1 : 0
  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "this" {
  count             = local.own ? 2 : 0
  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.cidr, 2, count.index)
  availability_zone = data.aws_availability_zones.this[0].names[count.index]
  tags              = { Name = "${var.name}-${count.index}" }
}

resource "aws_route_table" "this" {
  count  = local.own ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this[0].id
  }
}

resource "aws_route_table_association" "this" {
  count          = local.own ? 2 : 0
  subnet_id      = aws_subnet.this[count.index].id
  route_table_id = aws_route_table.this[0].id
}

data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

resource "aws_security_group" "balancer" {
  name        = "${var.name}-ingest-balancer"
  description = "Who may publish, and CloudFront"
  vpc_id      = local.vpc
}

resource "aws_vpc_security_group_ingress_rule" "publish" {
  for_each          = var.publish_cidrs
  security_group_id = aws_security_group.balancer.id
  description       = "RTMP"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.publish_port
  to_port           = local.publish_port
}

resource "aws_vpc_security_group_ingress_rule" "hls" {
  security_group_id = aws_security_group.balancer.id
  description       = "HLS, for CloudFront alone"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
  ip_protocol       = "tcp"
  from_port         = local.http_port
  to_port           = local.http_port
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  for_each                     = local.ports
  security_group_id            = aws_security_group.balancer.id
  description                  = "to the task"
  referenced_security_group_id = aws_security_group.task.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_security_group" "task" {
  name        = "${var.name}-ingest-task"
  description = "The load balancer alone comes in"
  vpc_id      = local.vpc
}

resource "aws_vpc_security_group_ingress_rule" "task" {
  for_each                     = local.ports
  security_group_id            = aws_security_group.task.id
  description                  = "from the load balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_egress_rule" "task" {
  security_group_id = aws_security_group.task.id
  description       = "HTTPS: the API, the registry, logs, secrets"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_lb" "this" {
  name                             = "${var.name}-ingest"
  load_balancer_type               = "network"
  security_groups                  = [aws_security_group.balancer.id]
  subnets                          = local.subnets
  enable_cross_zone_load_balancing = true # the one task is in one zone
}

locals {
  ports        = { rtmp = local.rtmp_port, http = local.http_port }
  publish_port = var.certificate_arn == null ? local.rtmp_port : 443
}

resource "aws_lb_target_group" "this" {
  for_each             = local.ports
  name                 = "${var.name}-${each.key}"
  port                 = each.value
  protocol             = "TCP"
  target_type          = "ip"
  vpc_id               = local.vpc
  deregistration_delay = 30
  health_check {
    protocol = "HTTP"
    port     = local.http_port
    path     = "/healthz"
  }
}

# With a certificate publishers use rtmps:// and the load balancer ends TLS.
resource "aws_lb_listener" "rtmp" {
  load_balancer_arn = aws_lb.this.arn
  port              = local.publish_port
  protocol          = var.certificate_arn == null ? "TCP" : "TLS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = var.certificate_arn == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["rtmp"].arn
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = local.http_port
  protocol          = "TCP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["http"].arn
  }
}
