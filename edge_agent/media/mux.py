"""Coded video and sound into one container: a file, a folder of segments or a pipe."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from edge_agent.errors import SinkError
from edge_agent.media.audio import AudioFormat, AudioPacket
from edge_agent.media.container import Container
from edge_agent.media.failure import in_words
from edge_agent.media.packet import ProtectedPacket
from edge_agent.media.transcode import Transcoder, aac_rate


class Mux:
    """Writes one container. Every method raises SinkError when it cannot be written.

    target: a path or an object with write(). `name` is how errors call it.
    """

    def __init__(
        self,
        target: Any,
        container: Container,
        video: VideoStream,
        audio: AudioFormat | None,
        *,
        name: str,
    ) -> None:
        self._name = name
        self._transcoder: Transcoder | None = None
        self._audio: AudioStream | None = None
        self._last_dts: dict[int, Fraction] = {}
        try:
            self._out = av.open(
                target, "w", format=container.name, container_options=container.options
            )
            self._video = self._out.add_stream_from_template(video, opaque=True)
            if audio is not None and audio.codec in container.audio:
                self._audio = self._out.add_stream_from_template(audio.template, opaque=True)
            elif audio is not None:
                self._audio = self._out.add_stream("aac", aac_rate(audio.rate))
                self._transcoder = Transcoder(audio, self._audio)
            self._out.start_encoding()
        except (FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from None

    def video(self, packet: ProtectedPacket) -> None:
        """Write one coded picture."""
        out = _packet(packet.data, packet.pts, packet.dts, packet.duration, packet.time_base)
        out.is_keyframe = packet.is_key
        self._write(self._video, [out])

    def audio(self, packet: AudioPacket) -> None:
        """Write sound; ignored when the container was opened without."""
        if self._audio is None:
            return
        if self._transcoder is not None:
            self._write(self._audio, self._transcoder.push(packet))
            return
        out = _packet(packet.data, packet.pts, packet.dts, packet.duration, packet.time_base)
        out.is_keyframe = packet.is_key
        self._write(self._audio, [out])

    def close(self) -> None:
        """Write what is still held and the container's end."""
        if self._transcoder is not None and self._audio is not None:
            self._write(self._audio, self._transcoder.push(None))
        try:
            self._out.close()
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from None

    def _write(self, stream: Stream, packets: Iterable[Packet[Any]]) -> None:
        try:
            for packet in packets:
                dts = (packet.dts or 0) * packet.time_base
                last = self._last_dts.get(stream.index)
                if last is not None and dts <= last:
                    continue  # muxers refuse time that does not rise
                self._last_dts[stream.index] = dts
                packet.stream = stream
                self._out.mux_one(packet)
        except (FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> SinkError:
        return SinkError(f"cannot write {self._name}: {in_words(error)}")


def _packet(data: bytes, pts: int, dts: int, duration: int, base: Fraction) -> Packet[Any]:
    packet: Packet[Any] = Packet(data)
    packet.pts, packet.dts, packet.duration, packet.time_base = pts, dts, duration, base
    return packet
