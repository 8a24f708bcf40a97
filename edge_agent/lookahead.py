"""The delay line: frames wait here until the looks around them have been taken."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque

from edge_agent.frame import Frame
from edge_agent.redact.gate import Verdict

LONGEST_GAP_NS = 300_000_000


class LookAhead:
    """Holds frames in order and says what is known about the oldest one.

    A frame is decided when it was looked at itself, or when successful looks at the whole picture
    stand on both sides of it, no further apart than `LONGEST_GAP_NS`: an object that nobody saw can
    then have been visible for less than that. All times are nanoseconds of stream time, and looks
    are noted in the order of their frames.
    """

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self._held: deque[Frame] = deque()
        self._looks: list[int] = []
        self._tried_ns: int | None = None
        self._doubted = -1  # index of the last frame that was in doubt

    def __len__(self) -> int:
        return len(self._held)

    @property
    def oldest(self) -> Frame | None:
        return self._held[0] if self._held else None

    @property
    def newest(self) -> Frame | None:
        return self._held[-1] if self._held else None

    def push(self, frame: Frame) -> None:
        self._held.append(frame)

    def holds(self, frame: Frame) -> bool:
        """Whether a look at the frame still counts. One at a frame that has left proves nothing:
        its planes may have been covered while the detector was reading them."""
        held = bool(self._held) and frame.index >= self._held[0].index
        return held and frame.index > self._doubted

    def looked(self, frame: Frame, *, succeeded: bool) -> None:
        """Note a look at the whole of a frame that is still held."""
        self._tried_ns = frame.time_ns
        if succeeded:
            self._looks.append(frame.time_ns)

    def horizon_reached(self, frame: Frame) -> bool:
        """Whether looks have been tried at all times that can still say something about it."""
        return self._tried_ns is not None and self._tried_ns >= frame.time_ns + self.window_ns

    def verdict(self, frame: Frame) -> Verdict:
        """What the looks say about a held frame, now."""
        time_ns = frame.time_ns
        if frame.index <= self._doubted:
            return Verdict(fresh=False, reason="tracking failed", decision_age_ns=0)
        after = bisect_left(self._looks, time_ns)
        before = bisect_right(self._looks, time_ns) - 1
        if after == len(self._looks):
            return Verdict(fresh=False, reason="no look after it", decision_age_ns=0)
        if before < 0:
            return Verdict(fresh=False, reason="no look before it", decision_age_ns=0)
        gap_ns = self._looks[after] - self._looks[before]
        age_ns = self._looks[after] - time_ns
        if gap_ns > LONGEST_GAP_NS:
            return Verdict(fresh=False, reason="looks too far apart", decision_age_ns=age_ns)
        return Verdict(fresh=True, reason="", decision_age_ns=age_ns)

    def pop(self) -> Frame:
        """Take the oldest frame out; looks that can no longer matter are forgotten."""
        frame = self._held.popleft()
        before = bisect_right(self._looks, frame.time_ns) - 1
        del self._looks[: max(before, 0)]
        return frame

    def doubt(self) -> None:
        """What was known about the held frames is worthless: none of them will ever be fresh."""
        if self._held:
            self._doubted = self._held[-1].index
        self._looks.clear()
        self._tried_ns = None

    def clear(self) -> list[Frame]:
        """Take every frame out and forget every look."""
        held = list(self._held)
        self._held.clear()
        self._looks.clear()
        self._tried_ns = None
        return held
