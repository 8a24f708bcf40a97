"""Protected video into one file, which bears its final name only when it is complete."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from edge_agent.errors import SinkError
from edge_agent.media.audio import AudioFormat, AudioPacket
from edge_agent.media.container import container_for
from edge_agent.media.encode import Encoder, EncoderSettings
from edge_agent.media.failure import in_words
from edge_agent.media.info import SourceInfo
from edge_agent.media.mux import Mux
from edge_agent.media.packet import ProtectedPacket
from edge_agent.redact.protected import ProtectedFrame


class FileWriter:
    """Encodes and writes in the caller's thread, so that a slow disk slows the source.

    The file grows as NAME.part; `close` gives it its name, `abort` removes it. Raises SinkError
    at once for a name whose format is not written, and later when the disk fails.
    """

    def __init__(self, path: Path, info: SourceInfo, settings: EncoderSettings) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._container = container_for(path)
        self._settings = settings
        self._fps: Fraction = info.fps
        self._aspect = info.aspect
        self._sound: AudioFormat | None = info.audio
        self._early: list[AudioPacket] = []
        self._encoder: Encoder | None = None
        self._mux: Mux | None = None

    def video(self, frame: ProtectedFrame) -> None:
        """Encode and write a frame; the first one fixes size, colour and time base."""
        if self._encoder is None or self._mux is None:
            self._encoder = Encoder(frame, self._fps, self._settings, self._aspect)
            self._mux = Mux(
                str(self._part),
                self._container,
                self._encoder.template,
                self._sound,
                name=self._path.name,
            )
            for packet in self._early:
                self._mux.audio(packet)
            self._early = []
        self._write(self._encoder.encode(frame))

    def audio(self, packet: AudioPacket) -> None:
        """Write sound; it may come before the first frame."""
        if self._mux is None:
            self._early.append(packet)
        else:
            self._mux.audio(packet)

    def discard(self) -> None:
        """Nothing waits here: each frame is written as it comes."""

    def close(self) -> None:
        """Finish the file and give it its name. Raises SinkError when no frame was written."""
        if self._encoder is None or self._mux is None:
            raise SinkError(f"cannot write {self._path.name}: the source gave no picture")
        self._write(self._encoder.finish())
        self._mux.close()
        try:
            self._part.replace(self._path)
        except OSError as error:
            raise SinkError(f"cannot write {self._path.name}: {in_words(error)}") from None

    def abort(self) -> None:
        """Give up: nothing of the file stays."""
        if self._mux is not None:
            with suppress(SinkError):
                self._mux.close()
        self._mux = self._encoder = None
        self._part.unlink(missing_ok=True)

    def _write(self, packets: list[ProtectedPacket]) -> None:
        assert self._mux is not None
        for packet in packets:
            self._mux.video(packet)
