"""Waiting for what must happen, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0


def wait_until(ready: Callable[[], object], what: str) -> None:
    """Look again and again until it is so."""
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.02)
