"""Protected frames to H.264. The only encoder of video in the agent."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import cv2
from av.codec.context import Flags
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from edge_agent.errors import SinkError
from edge_agent.frame import Colour, Plane
from edge_agent.media.failure import in_words
from edge_agent.media.packet import ProtectedPacket
from edge_agent.media.planes import blank_planes, whole_block
from edge_agent.redact.protected import ProtectedFrame

KEYFRAME_SECONDS = 2
FILE_CRF, LIVE_CRF = 20, 23
BITS_PER_PIXEL = 0.11  # ceiling of a live stream when no bitrate is asked for: 3 Mbit/s at 720p30
LIMITED, FULL = 1, 2
BLACK = (16, 128, 128)


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """preset: one of x264's. bitrate (bit/s) or crf (0 to 51, lower is better), not both.

    live: no delay, no B-frames, one thread, a capped rate; otherwise the best for a file.
    """

    preset: str = "superfast"
    bitrate: int | None = None
    crf: int | None = None
    live: bool = False

    def options(self, pixels_per_second: float) -> dict[str, str]:
        """What libx264 is told, for a stream of that many pixels a second."""
        options = {"preset": self.preset, "forced-idr": "1"}
        ceiling = self.bitrate or round(pixels_per_second * BITS_PER_PIXEL)
        if self.bitrate:
            options["b"] = str(self.bitrate)
        else:
            usual = LIVE_CRF if self.live else FILE_CRF
            options["crf"] = str(usual if self.crf is None else self.crf)
        if self.live:
            options |= {"tune": "zerolatency", "maxrate": str(ceiling), "bufsize": str(ceiling)}
        return options


class Encoder:
    """H.264 of one size and one time base. Frames of another size are fitted in with black bars.

    Raises SinkError when the machine's FFmpeg cannot encode so.
    """

    def __init__(
        self,
        first: ProtectedFrame,
        fps: Fraction,
        settings: EncoderSettings,
        aspect: Fraction = Fraction(1),
    ) -> None:
        self._size = (first.width, first.height)
        self._base = first.time_base
        self._want_key = False
        self._colour = first.colour
        self.template = open_stream(self._size, self._base, fps, settings, first.colour, aspect)

    def encode(self, frame: ProtectedFrame) -> list[ProtectedPacket]:
        """Code one frame; packets may come out later. pts must rise from frame to frame.

        Raises TypeError for anything but a frame that the gate has issued.
        """
        if not isinstance(frame, ProtectedFrame):
            raise TypeError(f"only protected frames are encoded, not {type(frame).__name__}")
        picture = VideoFrame.from_numpy_buffer(self._joined(frame), format="yuv420p")
        picture.pts = round(frame.pts * frame.time_base / self._base)
        picture.time_base = self._base
        picture.color_range = FULL if self._colour.full_range else LIMITED
        # A new picture has no type, so the source's keyframes are never copied.
        if self._want_key:
            picture.pict_type = PictureType.I
            self._want_key = False
        return self._packets(picture)

    def request_keyframe(self) -> None:
        """Make the next frame one at which a viewer can start. From any thread."""
        self._want_key = True

    def finish(self) -> list[ProtectedPacket]:
        """The packets still inside; nothing may be encoded afterwards."""
        return self._packets(None)

    def _packets(self, picture: VideoFrame | None) -> list[ProtectedPacket]:
        try:
            return [
                self._protected(packet) for packet in self.template.codec_context.encode(picture)
            ]
        except FFmpegError as error:
            raise SinkError(f"the H.264 encoder failed: {in_words(error)}") from None

    def _protected(self, packet: Packet[Any]) -> ProtectedPacket:
        pts = packet.pts or 0
        return ProtectedPacket(
            data=bytes(packet),
            pts=pts,
            dts=packet.dts if packet.dts is not None else pts,
            duration=packet.duration or 0,
            time_base=self._base,
            is_key=packet.is_keyframe,
        )

    def _joined(self, frame: ProtectedFrame) -> Plane:
        """The planes as the one (H * 3/2, W) block that FFmpeg wants; copied only when needed."""
        width, height = self._size
        planes = (frame.y, frame.u, frame.v)
        fits = (frame.width, frame.height) == self._size
        block = whole_block(planes) if fits else None
        if block is not None:
            return block
        targets = blank_planes(width, height)
        for plane, target, black in zip(planes, targets, BLACK, strict=True):
            if fits:
                target[...] = plane
            else:
                _letterbox(plane, target, black)
        block = whole_block(targets)
        assert block is not None
        return block


def open_stream(
    size: tuple[int, int],
    base: Fraction,
    fps: Fraction,
    settings: EncoderSettings,
    colour: Colour,
    aspect: Fraction = Fraction(1),
) -> VideoStream:
    """An open H.264 stream of a container that is never written: outputs copy theirs from it."""
    options = settings.options(size[0] * size[1] * float(fps))
    try:
        holder = av.open("-", "w", format="null")
        stream = holder.add_stream("libx264", fps, options=options)
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = base
        context.gop_size = max(1, round(fps * KEYFRAME_SECONDS))
        context.sample_aspect_ratio = aspect
        context.color_range = FULL if colour.full_range else LIMITED
        context.colorspace = colour.matrix
        context.color_primaries = colour.primaries
        context.color_trc = colour.transfer
        context.thread_count = 1 if settings.live else 0
        context.flags |= Flags.global_header
        holder.start_encoding()
    except (FFmpegError, ValueError) as error:
        raise SinkError(
            f"cannot encode {size[0]}x{size[1]} with preset {settings.preset!r}: "
            f"{in_words(error)}; check --preset, --bitrate and --crf"
        ) from None
    return stream


def _letterbox(plane: Plane, target: Plane, black: int) -> None:
    """Fill `target` with the plane, scaled to fit, centred, on a ground of `black`."""
    height, width = target.shape
    scale = min(width / plane.shape[1], height / plane.shape[0])
    columns, rows = round(plane.shape[1] * scale), round(plane.shape[0] * scale)
    left, top = (width - columns) // 2, (height - rows) // 2
    target[...] = black
    target[top : top + rows, left : left + columns] = cv2.resize(
        plane, (columns, rows), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
