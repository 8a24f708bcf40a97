"""What a source hands on beside frames and sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """The frame that follows does not continue the one before: tracks must not cross it.

    time: its time stamp jumped (it was moved so that time still rises); size: frames are
    `width` x `height` from now on; lost: the source is gone and being opened again;
    found: it is back.
    """

    reason: Literal["time", "size", "lost", "found"]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class End:
    """The source is over. `damaged` counts the packets that could not be read or decoded."""

    damaged: int = 0
