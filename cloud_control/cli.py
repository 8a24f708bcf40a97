"""The control plane's commands. What they need is imported when they run: help stays quick."""

from __future__ import annotations

from cloud_control.commands import control_aws as _control_aws  # noqa: F401 (adds its commands)
from cloud_control.commands.control import control
from cloud_control.commands.fleet import fleet
from cloud_control.commands.models import models

__all__ = ["control", "fleet", "models"]
