"""The only thing that encoders and sinks accept: a picture that has passed the gate."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from enum import StrEnum
from fractions import Fraction

from edge_agent.frame import Colour, Plane, nanoseconds
from edge_agent.redact.cover import Cover


class State(StrEnum):
    """What a person is told about the picture that leaves."""

    PROTECTED = "PROTECTED"  # looked at by a living detector, and covered
    DEGRADED = "DEGRADED"  # veiled: no decision stood behind it
    HELD = "HELD"  # a slate: nothing of the source's picture is sent
    OFF = "OFF"  # shown bare, by consent given on this device


_GATE_KEY = object()  # edge_agent.redact.gate alone presents it


@dataclass(frozen=True, slots=True, eq=False)
class ProtectedFrame:
    """A picture that may leave the device. Only the gate makes one; anyone else gets a TypeError.

    y is (H, W), u and v are (H/2, W/2), uint8, C-contiguous, owned by this object; nobody writes
    to them any more. `cover` names the boxes hidden in it (none when veiled).
    """

    y: Plane
    u: Plane
    v: Plane
    pts: int
    time_base: Fraction
    index: int
    captured_ns: int
    colour: Colour
    state: State
    reason: str
    cover: Cover
    key: InitVar[object]

    def __post_init__(self, key: object) -> None:
        if key is not _GATE_KEY:
            raise TypeError("only edge_agent.redact.gate makes a ProtectedFrame")

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])

    @property
    def time_ns(self) -> int:
        """Stream time in integer nanoseconds."""
        return nanoseconds(self.pts, self.time_base)
