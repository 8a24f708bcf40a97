"""Cuts coded video into segments that play by themselves, and hands them to a spool."""

from __future__ import annotations

import time
from contextlib import suppress

from av.video.stream import VideoStream

from edge_agent.errors import SinkError
from edge_agent.media.audio import AudioFormat, AudioPacket
from edge_agent.media.container import TS_AUDIO, Container
from edge_agent.media.gap import seconds
from edge_agent.media.mux import Mux
from edge_agent.media.packet import ProtectedPacket
from edge_agent.spool.draft import Draft
from edge_agent.spool.writer import SpoolWriter

SEGMENT_S = 6.0
LARGEST = 32 << 20
MPEGTS = Container("mpegts", TS_AUDIO, {"flush_packets": "1"})


class Segmenter:
    """Each segment begins with a keyframe and keeps the stream's time stamps.

    Every call raises SinkError when the disk takes no more; what was sealed before stays.
    """

    def __init__(self, writer: SpoolWriter, video: VideoStream, audio: AudioFormat | None) -> None:
        self._writer = writer
        self._template, self._format = video, audio
        self._draft: Draft | None = None
        self._mux: Mux | None = None
        self._first = self._last = 0.0

    def video(self, packet: ProtectedPacket, age: float) -> None:
        """Write a picture that was coded `age` seconds ago; a keyframe may begin a new segment."""
        at = seconds(packet)
        if packet.is_key and self._draft is not None:
            self._writer.make_room(self._draft.size)
            if at - self._first >= SEGMENT_S or self._draft.size >= LARGEST:
                self.seal()
        if self._draft is None:
            if not packet.is_key:
                return
            self._begin(at, age)
        assert self._mux is not None
        self._last = at
        try:
            self._mux.video(packet)
        except SinkError as error:
            raise self._give_up(error) from None

    def audio(self, packet: AudioPacket) -> None:
        """Write sound that belongs to the segment under way."""
        if self._mux is not None:
            try:
                self._mux.audio(packet)
            except SinkError as error:
                raise self._give_up(error) from None

    def seal(self) -> None:
        """End the segment under way: it waits for its upload now."""
        draft, mux = self._draft, self._mux
        if draft is None or mux is None:
            return
        try:
            mux.close()
            self._writer.commit(
                draft, first_ms=round(self._first * 1000), last_ms=round(self._last * 1000)
            )
        except SinkError as error:
            raise self._give_up(error) from None
        self._draft = self._mux = None

    def drop(self, *, lost: bool = False) -> None:
        """Leave nothing of the segment under way."""
        draft, mux = self._draft, self._mux
        self._draft = self._mux = None
        if mux is not None:
            with suppress(SinkError):
                mux.close()
        if draft is not None:
            self._writer.drop(draft, lost=lost)

    def _begin(self, at: float, age: float) -> None:
        self._first = self._last = at
        try:
            self._writer.make_room(0)
            self._draft = self._writer.begin(int((time.time() - age) * 1000))
            self._mux = Mux(
                self._draft, MPEGTS, self._template, self._format, name=self._draft.segment.name
            )
        except SinkError as error:
            raise self._give_up(error) from None

    def _give_up(self, error: SinkError) -> SinkError:
        """The disk is full or broken: this segment is lost, and the oldest makes room."""
        with suppress(SinkError, OSError):
            self._writer.give_up_oldest()
        with suppress(SinkError, OSError):
            self.drop(lost=True)
        return error
