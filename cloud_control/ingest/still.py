"""A process that makes small JPEGs of segments: a path comes in on a line, a picture goes out.

It decodes what strangers sent with FFmpeg, so it holds no secret and its crash costs one picture.
A picture is preceded by its length, 4 bytes; 0: there is none. It takes no arguments.
"""

from __future__ import annotations

import sys
from typing import Any

import av
from av.error import FFmpegError

WIDTH = 320
COARSENESS = "6"  # of the JPEG, 1 to 31
LARGEST = 1 << 18


def still(segment: str) -> bytes:
    """The segment's first picture, (WIDTH, as high as it takes), as JPEG. Raises FFmpegError, or
    ValueError without one."""
    with av.open(segment, "r", format="mpegts") as source:
        for frame in source.decode(video=0):
            height = max(2, round(frame.height * WIDTH / frame.width / 2) * 2)
            small = frame.reformat(WIDTH, height, "yuvj420p")
            options = {"qmin": COARSENESS, "qmax": COARSENESS}
            coder: Any = av.CodecContext.create("mjpeg", "w")
            coder.width, coder.height, coder.pix_fmt = WIDTH, height, "yuvj420p"
            coder.time_base, coder.options = small.time_base, options
            return b"".join(bytes(packet) for packet in [*coder.encode(small), *coder.encode(None)])
    raise ValueError("no picture")


def main() -> int:
    for line in sys.stdin:
        try:
            picture = still(line.rstrip("\n"))
        except (FFmpegError, OSError, ValueError):
            picture = b""
        if len(picture) > LARGEST:
            picture = b""
        sys.stdout.buffer.write(len(picture).to_bytes(4, "big") + picture)
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
