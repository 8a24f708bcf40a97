"""Gives frames and sound their place in time and order, across reconnects too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av.packet import Packet

from edge_agent.frame import NANOSECOND, Colour, Frame, nanoseconds
from edge_agent.media.audio import AudioPacket
from edge_agent.media.events import Discontinuity
from edge_agent.media.planes import Planes
from edge_agent.media.rebase import Rebase


class Stamper:
    """One per source; it outlives the connections, so that indices and time only ever rise."""

    def __init__(self, rebase: Rebase) -> None:
        self.rebase = rebase
        self._index = 0
        self._last = Fraction(-1)
        self._size: tuple[int, int] | None = None

    def frame(
        self, planes: Planes, colour: Colour, pts: int | None, duration: Fraction, base: Fraction
    ) -> Iterator[Frame | Discontinuity]:
        """The frame, after a Discontinuity when its time or size broke with the one before.

        pts counts in `base` and may be missing; duration is in seconds.
        """
        step = int(duration / NANOSECOND)
        if pts is None:
            due = self.rebase.due("video")
            pts = round((due or 0) * NANOSECOND / base)
        shift, jumped = self.rebase.place("video", nanoseconds(pts, base), step)
        pts += round(shift * NANOSECOND / base)
        if pts * base <= self._last:
            pts = int(self._last // base) + 1
        self._last = pts * base
        height, width = planes[0].shape
        if self._size is not None and self._size != (width, height):
            yield Discontinuity("size", width, height)
        elif jumped:
            yield Discontinuity("time", width, height)
        self._size = (width, height)
        yield Frame(*planes, pts, base, self._index, time.monotonic_ns(), colour)
        self._index += 1

    def audio(self, packet: Packet[Any]) -> AudioPacket | None:
        """The packet on the source's clock; None when it carries nothing or no time."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or not packet.size:
            return None
        base = packet.time_base
        length = packet.duration or 0
        ns = int(stamp * base / NANOSECOND)
        shift, _ = self.rebase.place("audio", ns, int(length * base / NANOSECOND))
        ticks = round(shift * NANOSECOND / base)
        dts = packet.dts if packet.dts is not None else stamp
        return AudioPacket(
            bytes(packet), stamp + ticks, dts + ticks, length, base, packet.is_keyframe
        )
