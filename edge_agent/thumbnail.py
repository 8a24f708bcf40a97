"""A small colour picture of a protected frame, for people to look at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.detect.colour import write_rgb
from edge_agent.redact.protected import ProtectedFrame

Picture = NDArray[np.uint8]


def thumbnail(frame: ProtectedFrame, longest_side: int) -> Picture:
    """The frame as BGR (h, w, 3), shrunk so that neither side is longer than `longest_side`."""
    scale = min(1.0, longest_side / max(frame.width, frame.height))
    size = (max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
    y, u, v = (_resize(plane, size) for plane in (frame.y, frame.u, frame.v))
    rgb = np.empty((3, size[1], size[0]), np.float32)
    write_rgb((y, u, v), frame.colour, frame.height, rgb)
    channels = [cv2.convertScaleAbs(channel, alpha=255.0) for channel in rgb[::-1]]
    return np.asarray(cv2.merge(channels), np.uint8)


def _resize(plane: Picture, size: tuple[int, int]) -> Picture:
    method = cv2.INTER_AREA if size[0] < plane.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=method), np.uint8)
