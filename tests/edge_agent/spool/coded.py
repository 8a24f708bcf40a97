"""Coded video for spools: a grey picture that moves, as the live encoder makes it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from edge_agent.frame import Frame
from edge_agent.media.encode import Encoder, EncoderSettings
from edge_agent.media.packet import ProtectedPacket
from edge_agent.spool.address import SpoolAddress
from edge_agent.spool.index import Index
from edge_agent.spool.segment import Segment, State
from tests.edge_agent.media_tools import protect

FPS = 10
LIVE = EncoderSettings(preset="ultrafast", live=True)


class Camera:
    """One encoder, whose frames and packets are on one clock of `FPS` ticks a second."""

    def __init__(self, size: tuple[int, int] = (160, 120)) -> None:
        self._size = size
        self._next = 0
        self.encoder = Encoder(protect(self._frame(0)), Fraction(FPS), LIVE)

    def film(self, seconds: float) -> Iterator[ProtectedPacket]:
        """The next packets."""
        for _ in range(round(seconds * FPS)):
            yield from self.encoder.encode(protect(self._frame(self._next)))
            self._next += 1

    def _frame(self, index: int) -> Frame:
        width, height = self._size
        luma = np.random.default_rng(index).integers(60, 190, (height, width), np.uint8)
        chroma = [np.full((height // 2, width // 2), 128, np.uint8) for _ in range(2)]
        return Frame(luma, *chroma, index, Fraction(1, FPS), index, 0)


def key_file(folder: Path, digits: str = "ab") -> Path:
    """A key that only its owner can read."""
    path = folder / f"{digits}.key"
    path.write_text(digits * 32)
    path.chmod(0o600)
    return path


def spool(folder: Path, key: Path | None = None, limit: int = 1 << 30) -> SpoolAddress:
    return SpoolAddress(folder, "all", limit, key)


def segments(folder: Path, *states: State) -> list[Segment]:
    """What the index says now; all states when none is named."""
    index = Index(folder)
    try:
        return index.of(*(states or tuple(State)))
    finally:
        index.close()


def ticks(data: bytes | Path) -> list[int]:
    """The frame numbers, by their time stamps, that a segment shows, decoded from end to end."""
    source = io.BytesIO(data) if isinstance(data, bytes) else str(data)
    with av.open(source, format="mpegts") as container:
        return [
            round(float(frame.pts * frame.time_base) * FPS) for frame in container.decode(video=0)
        ]
