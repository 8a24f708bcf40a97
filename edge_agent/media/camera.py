"""A camera on this machine, through OpenCV: FFmpeg's wheels come without camera support."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np

from edge_agent.errors import SourceError
from edge_agent.frame import Colour
from edge_agent.media.demux import Item
from edge_agent.media.events import End
from edge_agent.media.info import SourceInfo
from edge_agent.media.planes import blank_planes
from edge_agent.media.rebase import Rebase
from edge_agent.media.stamper import Stamper

CLOCK = Fraction(1, 1_000_000)
BT601 = 6
USUAL_FPS = 30


class Camera:
    """Frames of a camera, stamped by the wall clock as they come; no sound.

    device: a number or a path such as /dev/video0. Raises SourceError when it gives no picture.
    """

    def __init__(self, device: str) -> None:
        self._capture = cv2.VideoCapture(int(device) if device.isdigit() else device)
        self._closed = threading.Event()
        read, first = self._capture.read()
        if not read:
            self._capture.release()
            raise SourceError(
                f"cannot open camera {device}: check that it is plugged in, not in use by another "
                "program, and that you may read it"
            )
        self._first = first
        self._stamper = Stamper(Rebase(live=True, reach=None))
        height, width = first.shape[:2]
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        self._fps = Fraction(round(stated)) if 1 <= stated <= 240 else Fraction(USUAL_FPS)
        self._info = SourceInfo(
            url=f"camera:{device}",
            width=width // 2 * 2,
            height=height // 2 * 2,
            fps=self._fps,
            codec="camera",
            pixel_format="bgr24",
            live=True,
        )

    @property
    def info(self) -> SourceInfo:
        return self._info

    def __iter__(self) -> Iterator[Item]:
        picture = self._first
        while not self._closed.is_set():
            stamp = time.monotonic_ns() // 1000
            yield from self._stamper.frame(
                self._planes(picture), Colour(matrix=BT601), stamp, 1 / self._fps, CLOCK
            )
            read, picture = self._capture.read()
            if not read:
                break
        self._capture.release()
        yield End()

    def close(self) -> None:
        """Stop after the picture that is being taken."""
        self._closed.set()

    def _planes(self, picture: cv2.typing.MatLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        width, height = self._info.width, self._info.height
        block = cv2.cvtColor(picture[:height, :width], cv2.COLOR_BGR2YUV_I420)
        planes = blank_planes(width, height)
        flat, start = block.reshape(-1), 0
        for plane in planes:
            plane[...] = flat[start : start + plane.size].reshape(plane.shape)
            start += plane.size
        return planes
