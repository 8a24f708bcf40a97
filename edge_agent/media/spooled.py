"""The sink that keeps protected video on disk until it can be uploaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from av.video.stream import VideoStream

from edge_agent.errors import SinkError
from edge_agent.media.audio import AudioFormat, AudioPacket
from edge_agent.media.gap import Before, Gap, seconds
from edge_agent.media.packet import ProtectedPacket
from edge_agent.media.segmenter import Segmenter
from edge_agent.spool.address import SpoolAddress
from edge_agent.spool.writer import SpoolWriter


class Spooled:
    """An output of one stream, used by one thread but for `discard`.

    carried: whether the network sinks beside it carry the video; None: all is spooled. After a
    SinkError it is closed, and another one may be made for the same folder.
    """

    connected = True

    def __init__(
        self,
        address: SpoolAddress,
        video: VideoStream,
        audio: AudioFormat | None,
        carried: Callable[[], bool] | None,
    ) -> None:
        self.sent = 0
        self._writer = SpoolWriter(address)
        self._segmenter = Segmenter(self._writer, video, audio)
        self._carried = carried if address.mode == "gap" else None
        self._gap = Gap()
        self._before = Before()
        self._spooling = False
        self._discarded = threading.Event()

    def video(self, packet: ProtectedPacket) -> None:
        """Spool a picture, or keep it in memory as long as the uplink carries it."""
        if self._discard():
            return  # it may be older than the panic
        now = seconds(packet)
        wanted = self._carried is None or self._gap.is_open(now, carried=self._carried())
        try:
            if wanted and not self._spooling:
                self._spooling = True
                self._spool_before(now)
            elif self._spooling and not wanted and packet.is_key:
                self._spooling = False
                self._segmenter.seal()
            if self._spooling:
                self._write(packet, 0.0)
            else:
                self._before.push(packet)
        except SinkError:
            self._release()
            raise

    def audio(self, packet: AudioPacket) -> None:
        """Spool sound with its picture."""
        if not self._spooling:
            self._before.push(packet)
            return
        try:
            self._write(packet, 0.0)
        except SinkError:
            self._release()
            raise

    def discard(self) -> None:
        """Panic: what is not sealed yet is never uploaded. From any thread."""
        self._discarded.set()

    def close(self) -> None:
        """Seal what is under way."""
        try:
            if not self._discard():
                self._segmenter.seal()
        finally:
            self._release()

    def kill(self) -> None:
        """Nothing blocks here for long."""

    def _discard(self) -> bool:
        if not self._discarded.is_set():
            return False
        self._discarded.clear()
        self._before.clear()
        self._segmenter.drop()
        return True

    def _spool_before(self, now: float) -> None:
        for packet in self._before.drain():
            self._write(packet, now - seconds(packet))

    def _write(self, packet: ProtectedPacket | AudioPacket, age: float) -> None:
        self.sent += len(packet.data)
        if isinstance(packet, ProtectedPacket):
            self._segmenter.video(packet, age)
        else:
            self._segmenter.audio(packet)

    def _release(self) -> None:
        with suppress(SinkError):
            self._segmenter.drop(lost=True)
        self._writer.close()
