"""The places coded video can go to, each behind the same three calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from av.video.stream import VideoStream

from edge_agent.errors import SinkError
from edge_agent.media.audio import AudioFormat, AudioPacket
from edge_agent.media.container import TS_AUDIO, Container, container_for
from edge_agent.media.failure import in_words
from edge_agent.media.mux import Mux
from edge_agent.media.packet import ProtectedPacket
from edge_agent.media.push import Push
from edge_agent.media.spooled import Spooled
from edge_agent.media.urls import redact_url, scheme_of
from edge_agent.spool.address import SCHEME, spool_address
from edge_agent.spool.key import load_key

FLV = Container("flv", frozenset({"aac", "mp3"}), {"flvflags": "no_duration_filesize"})
MPEGTS = Container("mpegts", TS_AUDIO)
PUSHED = {"rtmp": FLV, "rtmps": FLV, "srt": MPEGTS, "tcp": MPEGTS, "udp": MPEGTS}
FRAGMENTS = {"movflags": "+frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
PLAYLIST = "index.m3u8"
SEGMENT_SECONDS, SEGMENTS_KEPT = 2, 6


class Output(Protocol):
    """One connection, folder or file. Every call raises SinkError once it is broken."""

    @property
    def connected(self) -> bool: ...
    @property
    def sent(self) -> int: ...
    def video(self, packet: ProtectedPacket) -> None: ...
    def audio(self, packet: AudioPacket) -> None: ...
    def discard(self) -> None: ...
    def close(self) -> None: ...
    def kill(self) -> None: ...


Opener = Callable[[VideoStream, AudioFormat | None], Output]


def opener_for(url: str, carried: Callable[[], bool] | None = None) -> tuple[Opener, bool]:
    """How to open `url`, and whether opening it again can mend it.

    rtmp(s)://, srt://: push to a server. A name that ends in / or .m3u8: a folder for HLS.
    spool:FOLDER: segments that wait for an upload; `carried` says whether the network sinks beside
    it carry the video, None that there are none. Anything else: a recording. Raises SinkError for
    what is not written.
    """
    scheme = scheme_of(url)
    if scheme == SCHEME:
        address = spool_address(url)
        if address.key_file:
            load_key(address.key_file)
        return lambda video, audio: Spooled(address, video, audio, carried), True
    if scheme in PUSHED:
        return lambda video, audio: Push(url, PUSHED[scheme], video, audio), True
    if scheme != "file":
        known = ", ".join(f"{name}://" for name in PUSHED)
        raise SinkError(f"cannot send to {redact_url(url)}: use {known} or a file or folder name")
    path = Path(url)
    if url.endswith("/") or path.suffix == ".m3u8" or path.is_dir():
        playlist = path if path.suffix == ".m3u8" else path / PLAYLIST
        return lambda video, audio: Playlist(playlist, video, audio), True
    container_for(path)
    return lambda video, audio: Recording(path, video, audio), False


class Disk:
    """What a recording and a playlist share: a mux to files, always connected."""

    connected = True

    def __init__(self, mux: Mux) -> None:
        self._mux = mux
        self.sent = 0

    def video(self, packet: ProtectedPacket) -> None:
        self.sent += len(packet.data)
        self._mux.video(packet)

    def audio(self, packet: AudioPacket) -> None:
        self.sent += len(packet.data)
        self._mux.audio(packet)

    def discard(self) -> None:
        """What is written stays."""

    def close(self) -> None:
        self._mux.close()

    def kill(self) -> None:
        """Leave what is written as it is."""


class Playlist(Disk):
    """A folder of short segments for HLS players; old ones are deleted, the list changes whole.

    Those of an earlier run go at the start.
    """

    def __init__(self, playlist: Path, video: VideoStream, audio: AudioFormat | None) -> None:
        try:
            playlist.parent.mkdir(parents=True, exist_ok=True)
            for old in playlist.parent.glob("segment[0-9]*.ts"):
                old.unlink()
        except OSError as error:
            raise SinkError(f"cannot write {playlist.parent}: {in_words(error)}") from None
        options = {
            "hls_time": str(SEGMENT_SECONDS),
            "hls_list_size": str(SEGMENTS_KEPT),
            "hls_flags": "delete_segments+independent_segments+temp_file",
            "hls_start_number_source": "epoch",
            "hls_segment_filename": str(playlist.parent / "segment%d.ts"),
        }
        container = Container("hls", frozenset({"aac", "mp3"}), options)
        super().__init__(Mux(str(playlist), container, video, audio, name=str(playlist)))


class Recording(Disk):
    """A file that can be played up to its last second whatever ends it; .part until complete."""

    def __init__(self, path: Path, video: VideoStream, audio: AudioFormat | None) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        known = container_for(path)
        options = FRAGMENTS if known.name in {"mp4", "mov"} else {"flush_packets": "1"}
        container = Container(known.name, known.audio, options)
        super().__init__(Mux(str(self._part), container, video, audio, name=path.name))

    def close(self) -> None:
        super().close()
        try:
            self._part.replace(self._path)
        except OSError as error:
            raise SinkError(f"cannot write {self._path.name}: {in_words(error)}") from None
