"""A video frame before protection. Its counterpart that may leave is `redact.protected`."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
NANOSECOND = Fraction(1, 1_000_000_000)


def nanoseconds(ticks: int, time_base: Fraction) -> int:
    """`ticks` of `time_base` in whole nanoseconds, rounded down. Asked for many times a frame."""
    return ticks * 1_000_000_000 * time_base.numerator // time_base.denominator


@dataclass(frozen=True, slots=True)
class Colour:
    """How the planes encode colour, in FFmpeg's (ITU-T H.273) code points; 2 means unspecified."""

    full_range: bool = False
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One raw picture: 8-bit I420 planes that this object owns and may be written to.

    y is (H, W), u and v are (H/2, W/2), all uint8 and C-contiguous; H and W are even.
    `pts` counts in `time_base` and rises strictly within a stream; `index` counts frames from 0.
    `captured_ns` is `time.monotonic_ns()` when the source handed the frame over.
    """

    y: Plane
    u: Plane
    v: Plane
    pts: int
    time_base: Fraction
    index: int
    captured_ns: int
    colour: Colour = field(default_factory=Colour)

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])

    @property
    def time_ns(self) -> int:
        """Stream time in nanoseconds: integer, so that it never drifts."""
        return nanoseconds(self.pts, self.time_base)
