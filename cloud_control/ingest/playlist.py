"""HLS media playlists (RFC 8216): a window of segments that moves on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

NAME = "index.m3u8"
WINDOW = 6
EARLY = 0.9
"""A segment may end after this part of its length: encoders round the times of keyframes."""


@dataclass(frozen=True, slots=True)
class Segment:
    """breaks: time or coding does not go on from the segment before."""

    name: str
    seconds: float
    breaks: bool = False


@dataclass(slots=True)
class Playlist:
    """first: the number of its first segment. breaks_before: how many breaks have left the window.
    target: s, never below a segment's length."""

    segments: list[Segment] = field(default_factory=list)
    first: int = 0
    breaks_before: int = 0
    target: int = 1
    ended: bool = False

    @classmethod
    def parse(cls, text: str) -> Playlist:
        """What `text` or nginx wrote; lines that nobody here needs are passed over."""
        playlist, seconds, breaks = cls(), 0.0, False
        for line in text.splitlines():
            tag, _, value = line.partition(":")
            match tag:
                case "#EXTINF":
                    seconds = float(value.split(",")[0])
                case "#EXT-X-DISCONTINUITY":
                    breaks = True
                case "#EXT-X-TARGETDURATION":
                    playlist.target = int(value)
                case "#EXT-X-MEDIA-SEQUENCE":
                    playlist.first = int(value)
                case "#EXT-X-DISCONTINUITY-SEQUENCE":
                    playlist.breaks_before = int(value)
                case "#EXT-X-ENDLIST":
                    playlist.ended = True
                case _ if line and not line.startswith("#"):
                    playlist.segments.append(Segment(line, seconds, breaks))
                    breaks = False
        return playlist

    def text(self) -> str:
        """As players read it."""
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            f"#EXT-X-TARGETDURATION:{self.target}",
            f"#EXT-X-MEDIA-SEQUENCE:{self.first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.breaks_before}",
        ]
        for segment in self.segments:
            if segment.breaks:
                lines.append("#EXT-X-DISCONTINUITY")
            lines += [f"#EXTINF:{segment.seconds:.3f},", segment.name]
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"

    def append(self, segment: Segment) -> None:
        """Add the newest; the oldest leaves when the window is full."""
        self.segments.append(segment)
        self.target = max(self.target, round(segment.seconds))
        while len(self.segments) > WINDOW:
            self.first += 1
            self.breaks_before += self.segments.pop(0).breaks


def read(path: Path) -> Playlist | None:
    """The playlist in a file; None without one."""
    try:
        return Playlist.parse(path.read_text())
    except FileNotFoundError:
        return None


def write(path: Path, playlist: Playlist) -> None:
    """Replace the file at one stroke: readers see the old one or the new one."""
    draft = path.with_suffix(".draft")
    draft.write_text(playlist.text())
    draft.replace(path)


def end(path: Path) -> None:
    """Tell players that nothing more comes."""
    playlist = read(path)
    if playlist is not None and not playlist.ended:
        playlist.ended = True
        write(path, playlist)
