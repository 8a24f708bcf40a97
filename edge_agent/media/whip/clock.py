"""Puts a publisher's sound and picture on one clock."""

from __future__ import annotations

import time
from typing import Literal

Kind = Literal["audio", "video"]

RATES: dict[Kind, int] = {"audio": 48_000, "video": 90_000}
SECOND = 1_000_000_000
AUDIBLE_NS = 10_000_000
_WRAP = 1 << 32


class SharedClock:
    """For one publisher and one thread. Ticks count from the first frame of each kind, in `RATES`.

    Until both kinds have had a sender's report (RTCP SR), frames lie where they arrived; then
    sound is moved to where it was recorded, against a picture that stays.
    """

    def __init__(self) -> None:
        self._shift: dict[Kind, int] = {}
        self._sender: dict[Kind, int] = {}
        self._newest: dict[Kind, int] = {}

    def place(self, kind: Kind, ticks: int) -> int:
        """The time (ns) of a frame that has arrived now."""
        own = ticks * SECOND // RATES[kind]
        self._newest[kind] = ticks
        if kind not in self._shift:
            self._shift[kind] = time.monotonic_ns() - own
            self._align()
        return own + self._shift[kind]

    def report(self, kind: Kind, ticks: int, ntp: int) -> None:
        """The sender says: these ticks (modulo 2^32) were at `ntp`, seconds in 32.32 bits."""
        newest = self._newest.get(kind, 0)
        ticks = newest + (ticks - newest + _WRAP // 2) % _WRAP - _WRAP // 2
        self._sender[kind] = ntp * SECOND // _WRAP - ticks * SECOND // RATES[kind]
        self._align()

    def _align(self) -> None:
        if len(self._sender) < 2 or len(self._shift) < 2:
            return
        exact = self._shift["video"] + self._sender["audio"] - self._sender["video"]
        if abs(exact - self._shift["audio"]) > AUDIBLE_NS:
            self._shift["audio"] = exact
