"""The degrade ladder: what gives way, and in which order, when the CPU is short.

The rate of looks falls by itself first, because a look starts only when the last one has ended.
Then the detector's input shrinks. Margins grow with the time between looks (in `track`), and when
looks stand too far apart the gate veils. Nothing is ever passed on unseen.
"""

from __future__ import annotations

SCALES = (1.0, 0.8, 0.65)
PATIENCE_DOWN = 5
PATIENCE_UP = 60
SHORT = 1.7  # how many times its CPU time a look takes by the clock when the CPU is short
INERTIA = 0.8


class Ladder:
    """Chooses the scale of the detector's input from how long the last looks took."""

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns
        self._step = 0
        self._slow = 0
        self._quick = 0
        self._stretch = 1.0

    @property
    def cpu_is_short(self) -> bool:
        """Whether looks wait for the CPU: then there is nothing to spare for second ones."""
        return self._step > 0 or self._stretch > SHORT

    @property
    def scale(self) -> float:
        return SCALES[self._step]

    def note(self, seconds: float, cpu_seconds: float) -> None:
        """Take in how long a look at the whole picture took, by the clock and of the CPU."""
        period = self.period_ns / 1e9
        stretch = seconds / max(cpu_seconds, 1e-4)
        self._stretch = INERTIA * self._stretch + (1 - INERTIA) * min(stretch, 10.0)
        self._slow = self._slow + 1 if seconds > 0.9 * period else 0
        self._quick = self._quick + 1 if seconds < 0.35 * period else 0
        if self._slow >= PATIENCE_DOWN and self._step < len(SCALES) - 1:
            self._step, self._slow = self._step + 1, 0
        elif self._quick >= PATIENCE_UP and self._step > 0:
            self._step, self._quick = self._step - 1, 0
