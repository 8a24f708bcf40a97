"""What is known about a source once it is open."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from edge_agent.media.audio import AudioFormat


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """width and height are those of the frames handed out: even, after rotation.

    fps is the average rate as the container states it, 30 when it says nothing. `aspect` is the
    shape of one pixel (width to height). `url` is fit to be shown: it holds no secret.
    """

    url: str
    width: int
    height: int
    fps: Fraction
    codec: str
    pixel_format: str
    live: bool
    duration_s: float | None = None
    aspect: Fraction = Fraction(1)
    audio: AudioFormat | None = None
