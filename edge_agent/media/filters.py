"""FFmpeg filters that a picture passes only when it needs them: interlaced and HDR video."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from fractions import Fraction

import av
from av.error import FFmpegError
from av.filter import Graph
from av.video.frame import VideoFrame

Step = tuple[str, str]
DEINTERLACE: tuple[Step, ...] = (("bwdif", "mode=send_frame:parity=auto:deint=interlaced"),)


class FilterChain:
    """A straight chain of filters for pictures of one size and format.

    `push` raises FFmpegError when a picture does not fit the chain.
    """

    def __init__(self, steps: tuple[Step, ...], first: VideoFrame, time_base: Fraction) -> None:
        self.shape = (first.width, first.height, first.format.name)
        self._time_base = time_base
        self._graph = Graph()
        source = self._graph.add(
            "buffer",
            f"video_size={first.width}x{first.height}:pix_fmt={first.format.name}"
            f":time_base={time_base.numerator}/{time_base.denominator}"
            f":colorspace={int(first.colorspace)}:range={int(first.color_range)}",
        )
        nodes = [source, *(self._graph.add(name, args) for name, args in steps)]
        self._graph.link_nodes(*nodes, self._graph.add("buffersink"))
        self._graph.configure()

    def push(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """Give one picture (None: there are no more) and take those that are ready.

        Their pts count in the time base that the chain was made with.
        """
        self._graph.vpush(frame)
        while True:
            try:
                out = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            except FFmpegError as error:
                if error.errno == errno.EAGAIN:
                    return
                raise
            if out.pts is not None and out.time_base not in {None, self._time_base}:
                out.pts = round(out.pts * Fraction(out.time_base or 1) / self._time_base)
                out.time_base = self._time_base
            yield out
