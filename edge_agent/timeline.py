"""The clock of a live output: one rising time for video, sound and slates."""

from __future__ import annotations

from fractions import Fraction

CLOCK = Fraction(1, 90_000)


class Timeline:
    """Moves a source's time stamps onto an output clock of 90 kHz that never goes back.

    Video and sound of one source are shifted by the same amount, so their offset survives; the
    shift grows only when slates were sent in the meantime.
    """

    def __init__(self) -> None:
        self._shift = 0
        self._last = -1

    def video(self, pts: int, time_base: Fraction) -> int:
        """Output time of a frame, in ticks of `CLOCK`; always later than the one before."""
        stamp = round(pts * time_base / CLOCK) + self._shift
        if stamp <= self._last:
            late = self._last + 1 - stamp
            self._shift += late
            stamp += late
        self._last = stamp
        return stamp

    def audio_shift(self, time_base: Fraction) -> int:
        """What to add to sound's time stamps, in ticks of its own time base."""
        return round(self._shift * CLOCK / time_base)

    def slate(self, seconds: float) -> int:
        """Output time of a slate that follows the last picture after `seconds`."""
        self._last += max(1, round(seconds / CLOCK))
        return self._last
