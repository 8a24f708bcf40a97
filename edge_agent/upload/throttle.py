"""Keeps uploads below a rate, so that a live stream has the uplink to itself."""

from __future__ import annotations

import time
from collections.abc import Callable

BURST_S = 0.25


class Throttle:
    """bits_per_second: None is no limit. One for all uploads of a process, used by one thread."""

    def __init__(
        self,
        bits_per_second: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = None if bits_per_second is None else bits_per_second / 8
        self._clock, self._sleep = clock, sleep
        self._free_at = clock()

    @property
    def piece(self) -> int:
        """Bytes to send at once: small where the rate is small."""
        return 1 << 16 if self._rate is None else max(1024, min(1 << 16, int(self._rate * BURST_S)))

    def wait(self, count: int) -> None:
        """Wait until `count` more bytes may leave."""
        if self._rate is None:
            return
        now = self._clock()
        if self._free_at > now:
            self._sleep(self._free_at - now)
        self._free_at = max(self._free_at, now - BURST_S) + count / self._rate
