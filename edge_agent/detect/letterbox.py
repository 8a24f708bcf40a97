"""Fits a frame, a region or a still picture into the network's input, and brings boxes back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import FloatArray
from edge_agent.detect.colour import write_rgb
from edge_agent.detect.detector import Region
from edge_agent.frame import Frame

LANDSCAPE = (640, 384)
PORTRAIT = (352, 640)
BAND = 24  # rows at the bottom of the input that belong to the tracer
GREY = np.float32(114 / 255)

_STEP = 32


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a region lies in an input of `width` x `height`: at its top left, in
    `content_width` x `content_height` pixels."""

    region: Region
    width: int
    height: int
    content_width: int
    content_height: int

    def to_frame(self, xyxy: FloatArray) -> FloatArray:
        """Boxes (N, 4) in input pixels, as boxes in pixels of the whole frame."""
        across = self.region.width / self.content_width
        down = self.region.height / self.content_height
        scale = np.array([across, down, across, down], np.float32)
        corner = (self.region.x1, self.region.y1)
        return np.asarray(xyxy * scale + np.array(corner * 2, np.float32), np.float32)


def fit(region: Region, input_scale: float = 1.0) -> Letterbox:
    """Choose the landscape or the portrait input, whichever shows the region larger.

    `input_scale` 0..1 shrinks the input, rounded up to what the network can take.
    """

    def inside(size: tuple[int, int]) -> Letterbox:
        width, height = (-(-round(side * input_scale) // _STEP) * _STEP for side in size)
        scale = min(width / region.width, (height - BAND) / region.height)
        content_width = max(1, min(width, round(region.width * scale)))
        content_height = max(1, min(height - BAND, round(region.height * scale)))
        return Letterbox(region, width, height, content_width, content_height)

    return max(inside(LANDSCAPE), inside(PORTRAIT), key=lambda box: box.content_width)


def write_frame(frame: Frame, box: Letterbox, tensor: FloatArray) -> None:
    """Fill a whole input tensor (1, 3, height, width), RGB 0..1, from the frame's planes."""
    area = box.region
    luma = frame.y[area.y1 : area.y2, area.x1 : area.x2]
    chroma = (slice(area.y1 // 2, area.y2 // 2), slice(area.x1 // 2, area.x2 // 2))
    size = (box.content_width, box.content_height)
    planes = (
        _resize(luma, size), _resize(frame.u[chroma], size), _resize(frame.v[chroma], size)
    )  # fmt: skip
    content = tensor[0, :, : box.content_height, : box.content_width]
    write_rgb(planes, frame.colour, frame.height, content)
    _pad(box, tensor)


def write_picture(rgb: NDArray[np.uint8], box: Letterbox, tensor: FloatArray) -> None:
    """Fill a whole input tensor (1, 3, height, width) from an RGB picture (H, W, 3)."""
    area = box.region
    part = rgb[area.y1 : area.y2, area.x1 : area.x2]
    small = _resize(part, (box.content_width, box.content_height))
    content = tensor[0, :, : box.content_height, : box.content_width]
    np.multiply(small.transpose(2, 0, 1), np.float32(1 / 255), out=content)
    _pad(box, tensor)


def _resize(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Shrink without aliasing: halve by averaging while possible, then interpolate."""
    width, height = size
    while plane.shape[1] >= 2 * width and plane.shape[0] >= 2 * height:
        half = (plane.shape[1] // 2, plane.shape[0] // 2)
        plane = np.asarray(cv2.resize(plane, half, interpolation=cv2.INTER_AREA), np.uint8)
    if plane.shape[:2] == (height, width):
        return plane
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _pad(box: Letterbox, tensor: FloatArray) -> None:
    tensor[:, :, box.content_height :, :] = GREY
    tensor[:, :, : box.content_height, box.content_width :] = GREY
