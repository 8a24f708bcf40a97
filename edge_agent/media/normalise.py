"""Every kind of decoded picture becomes the one kind that the rest of the agent handles."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from av.video.frame import VideoFrame

from edge_agent.frame import Colour
from edge_agent.media.filters import DEINTERLACE, FilterChain
from edge_agent.media.hdr import HDR_TRANSFERS, hdr_steps
from edge_agent.media.planes import Planes, as_i420, copy_planes

BT709 = 1
Picture = tuple[Planes, Colour, int | None, int]
"""Planes, colour, pts (None: unknown) and duration (0: unknown), both in the stream's base."""


class Normaliser:
    """Deinterlaces, tone-maps, turns and copies; filters are made when first needed."""

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        self._deinterlace: FilterChain | None = None
        self._hdr: FilterChain | None = None

    def push(self, frame: VideoFrame | None) -> Iterator[Picture]:
        """Pictures that are ready after `frame`; None lets those go that a filter still holds.

        Raises SourceError for HDR video that cannot be shown correctly.
        """
        if frame is None:
            if self._deinterlace is not None:
                for held in self._deinterlace.push(None):
                    yield from self._finish(held)
                self._deinterlace = None
            return
        if self._deinterlace is not None and self._deinterlace.shape != _shape(frame):
            yield from self.push(None)
        if self._deinterlace is None and frame.interlaced_frame:
            self._deinterlace = FilterChain(DEINTERLACE, frame, self._time_base)
        if self._deinterlace is None:
            yield from self._finish(frame)
            return
        for ready in self._deinterlace.push(frame):
            yield from self._finish(ready)

    def _finish(self, frame: VideoFrame) -> Iterator[Picture]:
        rotation = int(frame.rotation) % 360
        if rotation % 90:
            rotation = 0
        transfer = int(frame.color_trc)
        if transfer not in HDR_TRANSFERS:
            flat, colour = as_i420(frame)
            yield copy_planes(flat, rotation), colour, frame.pts, frame.duration
            return
        if self._hdr is None or self._hdr.shape != _shape(frame):
            steps = hdr_steps(transfer, int(frame.color_primaries))
            self._hdr = FilterChain(steps, frame, self._time_base)
        for mapped in self._hdr.push(frame):
            colour = Colour(False, BT709, BT709, BT709)
            yield copy_planes(mapped, rotation), colour, frame.pts, frame.duration


def _shape(frame: VideoFrame) -> tuple[int, int, str]:
    return (frame.width, frame.height, frame.format.name)
