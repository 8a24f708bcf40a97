"""The control plane's commands. What they need is imported when they run: help stays quick."""

from __future__ import annotations

from cloud_control.commands.control import control
from cloud_control.commands.fleet import fleet
from cloud_control.commands.models import models

__all__ = ["control", "fleet", "models"]
