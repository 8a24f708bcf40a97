"""Tests of training need its extra packages; without them they are left out."""

from __future__ import annotations

from importlib.util import find_spec

NEED_TORCH = ["test_quantise.py", "test_report.py", "test_thresholds.py", "test_training.py"]
collect_ignore = [] if find_spec("torch") else NEED_TORCH
