"""How long to wait before the next try: random, and longer each time."""

from __future__ import annotations

import random

FIRST_S, LONGEST_S = 0.5, 30.0


class Backoff:
    """Full jitter: anything between nothing and a ceiling that doubles, so that many agents
    that lost one server do not come back together."""

    def __init__(self, first: float = FIRST_S, longest: float = LONGEST_S) -> None:
        self._first, self._longest = first, longest
        self._tries = 0

    def next(self) -> float:
        """Seconds to wait now."""
        ceiling = min(self._longest, self._first * 2.0**self._tries)
        self._tries = min(self._tries + 1, 16)
        return random.uniform(0, ceiling)

    def reset(self) -> None:
        """It worked: the next wait is short again."""
        self._tries = 0
