# What devices bring later, and recordings: {fleet}/{agent}/{stream}/{name}. All of it is protected video.

module "bucket" {
  source           = "../bucket"
  name             = var.bucket
  partition        = var.partition
  force_destroy    = var.force_destroy
  old_version_days = 7
  expire_days      = var.keep_days
}
