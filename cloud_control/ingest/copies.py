"""Containers that coded packets are copied into."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet


class Copy:
    """One container that packets are copied into."""

    def __init__(
        self, target: Path, kind: str, options: dict[str, str], streams: dict[int, Any]
    ) -> None:
        self._out: OutputContainer = av.open(str(target), "w", format=kind, options=options)
        self._streams = {
            index: self._out.add_stream_from_template(stream, opaque=True)
            for index, stream in streams.items()
        }

    def add(self, packet: Packet[Any], index: int) -> None:
        """index: of the stream that the packet came in."""
        packet.stream = self._streams[index]
        self._out.mux_one(packet)

    def close(self) -> None:
        self._out.close()


class Recording:
    """An MP4 that can be played however it ended. Its failure does not stop the stream."""

    def __init__(self, path: Path, streams: dict[int, Any]) -> None:
        options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        self._copy: Copy | None = None
        try:
            self._copy = Copy(path, "mp4", options, streams)
        except (FFmpegError, OSError) as error:
            self._fail(error)

    def add(self, packet: Packet[Any], index: int) -> None:
        if self._copy is not None:
            try:
                self._copy.add(packet, index)
            except (FFmpegError, OSError) as error:
                self._fail(error)

    def close(self) -> None:
        if self._copy is not None:
            try:
                self._copy.close()
            except (FFmpegError, OSError) as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._copy = None
        sys.stderr.write(f"the recording failed: {type(error).__name__}\n")
