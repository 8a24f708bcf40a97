"""The wall clock, except that it never runs backwards: what has expired stays expired."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """`highest` is the highest time used before a restart."""

    def __init__(self, highest: int = 0, wall: Callable[[], int] = wall_ms) -> None:
        self._highest = highest
        self._wall = wall

    def now_ms(self) -> int:
        self._highest = max(self._highest, self._wall())
        return self._highest
