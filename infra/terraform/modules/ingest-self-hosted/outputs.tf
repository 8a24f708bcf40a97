output "publish_url" {
  description = "Where agents publish to."
  value       = var.certificate_arn == null ? "rtmp://${aws_lb.this.dns_name}:1935/live" : "rtmps://${aws_lb.this.dns_name}:443/live"
}

output "hls_url" {
  description = "Where players find {stream}/index.m3u8."
  value       = "https://${aws_cloudfront_distribution.hls.domain_name}/hls"
}
