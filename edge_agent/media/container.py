"""Which file formats and stream formats Veilcast writes, and what each of them carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.errors import SinkError


@dataclass(frozen=True, slots=True)
class Container:
    """name: FFmpeg's muxer. audio: codecs copied as they are; other sound becomes AAC."""

    name: str
    audio: frozenset[str]
    options: dict[str, str] = field(default_factory=dict)


MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
PCM = frozenset({"pcm_s16le", "pcm_s24le", "pcm_s16be", "pcm_s24be", "pcm_s32le", "pcm_f32le"})
TS_AUDIO = frozenset({"aac", "mp3", "mp2", "ac3", "eac3"})

FILE_CONTAINERS = {
    ".mp4": Container("mp4", MP4_AUDIO, {"movflags": "+faststart"}),
    ".m4v": Container("mp4", MP4_AUDIO, {"movflags": "+faststart"}),
    ".mov": Container("mov", frozenset({"aac", "mp3", "ac3", "alac"}) | PCM),
    ".mkv": Container("matroska", MP4_AUDIO | TS_AUDIO | PCM | {"vorbis", "dts", "truehd"}),
    ".flv": Container("flv", frozenset({"aac", "mp3"})),
    ".ts": Container("mpegts", TS_AUDIO),
}


def container_for(path: Path) -> Container:
    """The container that the file's extension asks for. Raises SinkError for one not written."""
    container = FILE_CONTAINERS.get(path.suffix.lower())
    if container is None:
        known = ", ".join(FILE_CONTAINERS)
        raise SinkError(f"cannot write {path.name}: use a name that ends in one of {known}")
    return container
