"""From a decoded picture to 8-bit I420 planes that nobody else refers to."""

from __future__ import annotations

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from edge_agent.frame import Colour, Plane

Planes = tuple[Plane, Plane, Plane]
FULL_RANGE = 2
I420 = frozenset({"yuv420p", "yuvj420p"})
TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


def blank_planes(width: int, height: int) -> Planes:
    """Unfilled planes for an even size; the three are views of one block, Y then U then V."""
    luma, chroma = width * height, width * height // 4
    block = np.empty(luma + 2 * chroma, np.uint8)
    half = (height // 2, width // 2)
    return (
        block[:luma].reshape(height, width),
        block[luma : luma + chroma].reshape(half),
        block[luma + chroma :].reshape(half),
    )


def whole_block(planes: Planes) -> Plane | None:
    """The block that `blank_planes` made these planes from, as (H * 3/2, W); None if it did not."""
    y, u, v = planes
    block = y.base
    if not isinstance(block, np.ndarray) or block is not u.base or block is not v.base:
        return None
    height, width = y.shape
    starts = [plane.__array_interface__["data"][0] for plane in (block, y, u, v)]
    expected = [0, 0, y.size, y.size + u.size]
    if block.size != height * 3 // 2 * width or [s - starts[0] for s in starts] != expected:
        return None
    return block.reshape(height * 3 // 2, width)


def as_i420(frame: VideoFrame) -> tuple[VideoFrame, Colour]:
    """The picture in 8-bit 4:2:0, in the range and matrix it came in (RGB becomes BT.709)."""
    name = frame.format.name
    full = name.startswith("yuvj") or frame.color_range == FULL_RANGE
    rgb = frame.format.is_rgb or frame.format.has_palette
    colour = Colour(
        full_range=full and not rgb,
        matrix=1 if rgb else int(frame.colorspace),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
    )
    if name in I420:
        return frame, colour
    if rgb:
        frame = frame.reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation="AREA",
        )
    else:
        range_ = ColorRange.JPEG if full else ColorRange.MPEG
        frame = frame.reformat(
            format="yuv420p", src_color_range=range_, dst_color_range=range_, interpolation="AREA"
        )
    return frame, colour


def copy_planes(frame: VideoFrame, rotation: int = 0) -> Planes:
    """Copy a 4:2:0 picture out of the decoder's memory, turned by `rotation` degrees.

    rotation counts anticlockwise in quarter turns. An odd width or height is made even by
    repeating the last column or row.
    """
    width, height = frame.width, frame.height
    shapes = ((height, width), *((-(-height // 2), -(-width // 2)),) * 2)
    views = []
    for plane, (rows, columns) in zip(frame.planes, shapes, strict=True):
        pixels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        views.append(pixels[:rows, :columns])
    turned = rotation % 180 == 90
    size = (height, width) if turned else (width, height)
    out = blank_planes(size[0] + size[0] % 2, size[1] + size[1] % 2)
    for view, target in zip(views, out, strict=True):
        source = cv2.rotate(view, TURNS[rotation]) if rotation else view
        rows, columns = source.shape
        target[:rows, :columns] = source
        target[rows:, :columns] = source[-1:]
        target[:, columns:] = target[:, columns - 1 : columns]
    return out
