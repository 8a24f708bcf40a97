"""One opening of a file, stream or device: packets in, frames and sound out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import structlog
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge_agent.errors import SourceError
from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket, audio_format
from edge_agent.media.events import Discontinuity, End
from edge_agent.media.failure import in_words
from edge_agent.media.info import SourceInfo
from edge_agent.media.normalise import Normaliser
from edge_agent.media.rebase import SECOND, Rebase
from edge_agent.media.stamper import Stamper

Item = Frame | AudioPacket | Discontinuity | End

OPEN_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 10.0
USUAL_FPS = Fraction(30)
FASTEST_FPS = 1000
TS_REACH = 10 * SECOND
MAX_READ_ERRORS = 100
MICROSECOND = 1000

log = structlog.get_logger()


class Demux:
    """Reads one container to its end. Raises SourceError when it cannot be opened or shown.

    threads: for the decoder; 0 lets it choose, which costs delay. `file` is an address or an
    object with read() and close(), closed at the end. Damaged packets are counted and skipped.
    """

    def __init__(
        self,
        file: Any,
        *,
        name: str,
        live: bool = False,
        format: str | None = None,  # noqa: A002
        options: dict[str, str] | None = None,
        threads: int = 0,
        stamper: Stamper | None = None,
        with_audio: bool = True,
    ) -> None:
        self._file = file
        self._name = name
        self._closed = threading.Event()
        self._damaged = 0
        timeout = (OPEN_TIMEOUT_S, READ_TIMEOUT_S) if live else None
        try:
            self._container: InputContainer = av.open(
                file,
                "r",
                format=format,
                options=options,
                timeout=timeout,
                metadata_errors="replace",
            )
        except (FFmpegError, OSError, ValueError) as error:
            self._hang_up()
            raise SourceError(f"cannot open {name}: {in_words(error)}") from None
        self._video = _best_video(self._container, name)
        self._video.codec_context.thread_count = threads
        self._video.codec_context.thread_type = "SLICE" if live else "AUTO"
        self._audio = _best_audio(self._container) if with_audio else None
        self._base = self._video.time_base or Fraction(1, 90_000)
        self._normaliser = Normaliser(self._base)
        self._fps = _frame_rate(self._video)
        self._stamper = stamper or Stamper(Rebase(live=live, reach=self._reach(live)))
        start = self._container.start_time
        self._stamper.rebase.start(None if start is None else start * MICROSECOND)
        self._early: list[Item] = []
        self._items = self._read()
        self._info = self._describe(live)

    @property
    def info(self) -> SourceInfo:
        return self._info

    def __iter__(self) -> Iterator[Item]:
        early, self._early = self._early, []
        yield from early
        yield from self._items

    def close(self) -> None:
        """Stop at the next packet. May be called from any thread, more than once."""
        self._closed.set()
        self._hang_up()

    def _hang_up(self) -> None:
        if not isinstance(self._file, str):
            self._file.close()

    def _reach(self, live: bool) -> int | None:
        if live:
            return SECOND
        return TS_REACH if self._container.format.name == "mpegts" else None

    def _describe(self, live: bool) -> SourceInfo:
        """Decode up to the first picture: only it tells the true size, turn and pixel format."""
        for item in self._items:
            self._early.append(item)
            if isinstance(item, Frame):
                break
        else:
            raise SourceError(f"cannot read {self._name}: it holds no picture that can be decoded")
        frame, context, duration = item, self._video.codec_context, self._container.duration
        return SourceInfo(
            url=self._name,
            width=frame.width,
            height=frame.height,
            fps=self._fps,
            codec=context.codec.canonical_name,
            pixel_format=context.pix_fmt or "",
            live=live,
            duration_s=duration / 1_000_000 if duration else None,
            aspect=context.sample_aspect_ratio or Fraction(1),
            audio=audio_format(self._audio) if self._audio else None,
        )

    def _read(self) -> Iterator[Item]:
        try:
            for packet in self._packets():
                if packet.stream is self._audio:
                    sound = self._stamper.audio(packet)
                    if sound is not None:
                        yield sound
                    continue
                for frame in self._decode(packet):
                    yield from self._show(frame)
            if not self._closed.is_set():
                yield from self._show(None)
            yield End(self._damaged)
        finally:
            self._container.close()
            self._hang_up()

    def _packets(self) -> Iterator[Packet[Any]]:
        """Packets of the two streams; a read error is stepped over as long as others follow."""
        streams = [stream for stream in (self._video, self._audio) if stream is not None]
        errors = 0
        while not self._closed.is_set():
            try:
                for packet in self._container.demux(streams):
                    if self._closed.is_set():
                        return
                    yield packet
                    errors = 0
                return
            except av.error.InvalidDataError:
                errors += 1
                self._damaged += 1
                if errors > MAX_READ_ERRORS:
                    return
            except (FFmpegError, OSError) as error:
                log.info("source ended", source=self._name, reason=in_words(error))
                return

    def _decode(self, packet: Packet[Any]) -> list[VideoFrame]:
        try:
            return packet.decode()
        except av.error.EOFError:
            return []
        except FFmpegError:
            self._damaged += 1
            return []

    def _show(self, frame: VideoFrame | None) -> Iterator[Item]:
        try:
            for planes, colour, pts, ticks in self._normaliser.push(frame):
                length = ticks * self._base if ticks else 1 / self._fps
                yield from self._stamper.frame(planes, colour, pts, length, self._base)
        except (FFmpegError, ValueError):
            self._damaged += 1


def _best_video(container: InputContainer, name: str) -> VideoStream:
    """The largest moving picture; cover art does not count."""
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise SourceError(f"cannot read {name}: it holds no video stream that can be decoded")
    return max(streams, key=lambda s: s.codec_context.width * s.codec_context.height)


def _best_audio(container: InputContainer) -> AudioStream | None:
    """The stream marked as default, else the first one."""
    streams = [s for s in container.streams.audio if s.codec_context is not None]
    marked = [s for s in streams if s.disposition & Disposition.default]
    return next(iter(marked or streams), None)


def _frame_rate(stream: VideoStream) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= FASTEST_FPS:
            return rate
    return USUAL_FPS
