"""Whole-frame pictures that show nothing of the frame they replace."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.redact.cells import Planes, noise_table

COLUMNS, ROWS = 16, 9
SLATE_LUMA = 48
_INK = 200


class Veil:
    """Stands in for frames that nobody vouches for.

    It is made of the last picture that left protected, shrunk to 16 x 9 colours, and of seeded
    noise: so it looks like the scene, yet holds nothing that was not public already.
    """

    def __init__(self, seed: int = 0) -> None:
        self._noise = noise_table(seed)
        self._shown: Planes | None = None
        self._cached: Planes | None = None

    def remember(self, shown: Planes) -> None:
        """Take the planes of a frame that has just been protected; they are kept, not copied."""
        self._shown = shown
        self._cached = None

    def forget(self) -> None:
        """From here on the veil is plain grey."""
        self._shown = None
        self._cached = None

    def planes(self, width: int, height: int) -> Planes:
        """Fresh Y, U, V planes of a veil; drawn once, then copied while nothing new is shown."""
        if self._cached is None or self._cached[0].shape != (height, width):
            self._cached = self._draw(width, height)
        y, u, v = self._cached
        return y.copy(), u.copy(), v.copy()

    def _draw(self, width: int, height: int) -> Planes:
        sizes = ((width, height), (width // 2, height // 2), (width // 2, height // 2))
        drawn = [self._draw_plane(channel, size) for channel, size in enumerate(sizes)]
        return drawn[0], drawn[1], drawn[2]

    def _draw_plane(self, channel: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        colours = np.full((ROWS, COLUMNS), 128, np.float32)
        if self._shown is not None:
            small = cv2.resize(self._shown[channel], (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
            colours = small.astype(np.float32)
        cells = (2 * COLUMNS, 2 * ROWS)
        soft = cv2.resize(colours, cells, interpolation=cv2.INTER_LINEAR)
        rough = soft + self._noise[: 2 * ROWS, : 2 * COLUMNS, channel]
        small_veil = np.clip(rough, 0, 255).astype(np.uint8)
        return np.asarray(cv2.resize(small_veil, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def slate(width: int, height: int, word: str) -> Planes:
    """Fresh planes of a plain dark picture that bears a word in plain ASCII, such as PAUSED."""
    dark = np.full((height // 2, width // 2), 128, np.uint8)
    return _slate_luma(width, height, word).copy(), dark, dark.copy()


@lru_cache(maxsize=8)
def _slate_luma(width: int, height: int, word: str) -> NDArray[np.uint8]:
    luma = np.full((height, width), SLATE_LUMA, np.uint8)
    face, scale = cv2.FONT_HERSHEY_SIMPLEX, height / 400
    thickness = max(1, height // 200)
    (text_width, text_height), _ = cv2.getTextSize(word, face, scale, thickness)
    corner = ((width - text_width) // 2, (height + text_height) // 2)
    cv2.putText(luma, word, corner, face, scale, (_INK,), thickness, cv2.LINE_AA)
    return luma
