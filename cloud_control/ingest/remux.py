"""A process that turns one publisher's FLV, on standard input, into HLS segments, as it is coded.

It reads what strangers sent with FFmpeg's parsers, so it holds no secret and its crash costs one
connection. `python -m cloud_control.ingest.remux FOLDER SEGMENT_SECONDS [RECORDING]`
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet

from cloud_control.ingest import playlist
from cloud_control.ingest.copies import Copy, Recording
from cloud_control.ingest.playlist import EARLY, NAME, WINDOW, Playlist, Segment

VIDEO = frozenset({"h264", "hevc"})
AUDIO = frozenset({"aac", "mp3"})
PROBE = {"analyzeduration": "1000000", "fpsprobesize": "3"}
STEP_BACK_S = 5.0
STEP_AHEAD_S = 10.0
KEYFRAME_S = 20.0


class UnfitError(Exception):
    """This cannot be made into HLS; the text says why."""


class Window:
    """Adds what the muxer has finished to the folder's playlist, after what is there."""

    def __init__(self, folder: Path, run: Path) -> None:
        self._path, self._run = folder / NAME, run
        self._playlist = playlist.read(self._path) or Playlist()
        self._playlist.ended = False
        self._goes_on = not self._playlist.segments
        self._next = 0
        self._seen = 0

    def follow(self) -> None:
        """Look at the muxer's own list."""
        try:
            changed = self._run.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed == self._seen:
            return
        self._seen = changed
        run = Playlist.parse(self._run.read_text())
        for segment in run.segments[max(0, self._next - run.first) :]:
            self._playlist.append(Segment(segment.name, segment.seconds, not self._goes_on))
            self._goes_on = True
        self._next = run.first + len(run.segments)
        playlist.write(self._path, self._playlist)


class Timeline:
    """Time must rise for muxers, and not leap: a break needs a new connection, which is marked."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}
        self._keyframe: float | None = None

    def fits(self, packet: Packet[Any]) -> bool:
        """Whether to pass it on. Raises UnfitError when the publisher has to begin anew."""
        if packet.dts is None or packet.size == 0:
            return False
        now = float(packet.dts * packet.time_base)
        known = packet.stream_index in self._last
        last = self._last.get(packet.stream_index, now - 1)
        if now < last - STEP_BACK_S or now > last + STEP_AHEAD_S:
            raise UnfitError("the times of its pictures or sound leap")
        if packet.stream.type == "video":
            if packet.is_keyframe or self._keyframe is None:
                self._keyframe = now
            elif now > self._keyframe + KEYFRAME_S:
                raise UnfitError("it sends too few keyframes; set the interval to 2 s")
        if now <= last:
            return False
        if known:  # FLV has no lengths, and what FFmpeg guesses would make up the last segment's
            packet.duration = round((now - last) / packet.time_base)
        self._last[packet.stream_index] = now
        return True


def streams_of(source: InputContainer) -> dict[int, Any]:
    """The first video and sound that HLS carries, by index. Raises UnfitError without video."""
    video = [s for s in source.streams.video if s.codec_context.name in VIDEO]
    audio = [s for s in source.streams.audio if s.codec_context.name in AUDIO]
    if not video:
        raise UnfitError("no H.264 or HEVC video came")
    return {stream.index: stream for stream in (video[:1] + audio[:1])}


def remux(folder: Path, segment_s: float, recording: Path | None) -> None:
    """Copy standard input until its end. Raises UnfitError, FFmpegError or OSError."""
    run = f"{int(time.time() * 1000):x}"
    listed = folder / f"{run}.m3u8"
    with av.open("pipe:0", "r", format="flv", options=PROBE) as source:
        streams = streams_of(source)
        hls = Copy(
            listed,
            "hls",
            {
                "hls_time": str(segment_s * EARLY),
                "hls_list_size": str(WINDOW),
                "hls_flags": "temp_file",
                "hls_segment_filename": str(folder / f"{run}-%d.ts"),
            },
            streams,
        )
        window, timeline = Window(folder, listed), Timeline()
        kept = Recording(recording, streams) if recording else None
        try:
            for packet in source.demux(list(streams.values())):
                if timeline.fits(packet):
                    index = packet.stream_index
                    if kept:
                        kept.add(packet, index)
                    hls.add(packet, index)
                    window.follow()
        finally:
            hls.close()
            window.follow()
            listed.unlink(missing_ok=True)
            if kept:
                kept.close()


def main(arguments: list[str]) -> int:
    """What goes wrong is told in one line on standard error."""
    folder, segment_s, *recording = arguments
    try:
        remux(Path(folder), float(segment_s), Path(recording[0]) if recording else None)
    except UnfitError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (FFmpegError, OSError) as error:
        sys.stderr.write(f"it cannot be read or written: {type(error).__name__}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
