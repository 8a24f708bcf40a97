"""SRT by way of the `ffmpeg` command, for FFmpeg libraries that are built without it.

The address is an argument of that command: users of the same machine can see it.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from functools import cache

import av
from av.error import FFmpegError

from edge_agent.errors import SinkError, SourceError, VeilcastError

QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error")


@cache
def speaks_srt() -> bool:
    """Whether the FFmpeg libraries in use know SRT themselves."""
    try:
        av.open("srt://127.0.0.1:1?connect_timeout=1", "r", timeout=1).close()
    except av.error.ProtocolNotFoundError:
        return False
    except (FFmpegError, OSError):
        return True
    return True


def ffmpeg_command(error: type[VeilcastError]) -> str:
    """Where the command is. Raises `error` when it is not installed."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise error("SRT needs the ffmpeg command; install it (Debian: apt install ffmpeg)")
    return found


def push_command(url: str) -> list[str]:
    """Reads MPEG-TS on standard input and sends it; reports progress on standard output."""
    ffmpeg = ffmpeg_command(SinkError)
    source = ("-f", "mpegts", "-i", "pipe:0")
    return [ffmpeg, *QUIET, *source, "-c", "copy", "-progress", "pipe:1", "-f", "mpegts", url]


class Relay:
    """An SRT source as an object to read MPEG-TS from. Raises SourceError without the command."""

    def __init__(self, url: str) -> None:
        ffmpeg = ffmpeg_command(SourceError)
        command = [ffmpeg, *QUIET, "-i", url, "-c", "copy", "-f", "mpegts", "pipe:1"]
        self.name = "srt"
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self._process.stdout is not None
        self._stream = self._process.stdout
        self._reading = threading.Lock()

    def read(self, count: int) -> bytes:
        """What has arrived, up to `count` bytes; nothing at the end."""
        with self._reading:
            return b"" if self._stream.closed else self._stream.read(count) or b""

    def close(self) -> None:
        """Hang up; a waiting read ends. From any thread, more than once."""
        self._process.kill()
        self._process.wait()
        with self._reading:  # the process is dead, so that a read under way ends
            self._stream.close()
