"""Coded video that has passed the gate, ready for any number of outputs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class ProtectedPacket:
    """One coded picture. Only the encoder makes them, and it takes only protected frames.

    pts, dts and duration count in `time_base`; data is an H.264 access unit with start codes.
    """

    data: bytes
    pts: int
    dts: int
    duration: int
    time_base: Fraction
    is_key: bool
