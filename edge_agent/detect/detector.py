"""What a detector is to the rest of the agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_agent.boxes import Detections
from edge_agent.frame import Frame


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame in luma pixels, right and bottom exclusive, inside it; all four even."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def width(self) -> int:
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        return self.y2 - self.y1


class Detector(Protocol):
    """Looks at frames, one at a time, from one thread."""

    def look(
        self, frame: Frame, region: Region | None = None, *, input_scale: float = 1.0
    ) -> Detections:
        """Find objects in the frame, or in a region of it; boxes are in pixels of the whole frame.

        `input_scale` below 1 looks at a smaller, cheaper picture. Raises DetectError when the look
        failed or did not prove itself: then nothing is known about the frame.
        """
        ...

    def close(self) -> None:
        """Give back what the detector holds; no look may follow."""
        ...
