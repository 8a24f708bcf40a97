"""I420 planes to the RGB values that a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from edge_agent.boxes import FloatArray
from edge_agent.frame import Colour, Plane

# Luma weights of red and blue by matrix code point, ITU-T H.273 table 4.
_BT601 = (0.299, 0.114)
_BT709 = (0.2126, 0.0722)
_BT2020 = (0.2627, 0.0593)
_WEIGHTS = {1: _BT709, 5: _BT601, 6: _BT601, 9: _BT2020, 10: _BT2020}
_HD_LINES = 720


@dataclass(frozen=True, slots=True)
class _Coefficients:
    """R = y Y + red_v V + red_0, and so on; planes in 0..255, results in 0..255."""

    y: float
    red_v: float
    red_0: float
    green_u: float
    green_v: float
    green_0: float
    blue_u: float
    blue_0: float


@lru_cache(maxsize=16)
def _coefficients(full_range: bool, matrix: int, lines: int) -> _Coefficients:
    unstated = _BT709 if lines >= _HD_LINES else _BT601
    red, blue = _WEIGHTS.get(matrix, unstated)
    green = 1.0 - red - blue
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    red_v, blue_u = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    green_u, green_v = -blue / green * blue_u, -red / green * red_v
    dark = -luma * black
    return _Coefficients(
        y=luma,
        red_v=red_v,
        red_0=dark - 128 * red_v,
        green_u=green_u,
        green_v=green_v,
        green_0=dark - 128 * (green_u + green_v),
        blue_u=blue_u,
        blue_0=dark - 128 * blue_u,
    )


def write_rgb(
    planes: tuple[Plane, Plane, Plane], colour: Colour, lines: int, out: FloatArray
) -> None:
    """Convert Y, U, V of one size (h, w) into `out`, (3, h, w) float32, as R, G, B in 0..1.

    `lines` is the height of the whole frame: it stands for the matrix where the stream names none.
    Each value is rounded to 8 bits on the way, as in an ordinary RGB picture.
    """
    y, u, v = planes
    k = _coefficients(colour.full_range, colour.matrix, lines)
    # Half the chroma part of green, lifted by 160, fits 8 bits whatever U and V are.
    green = cv2.addWeighted(u, k.green_u / 2, v, k.green_v / 2, 160.0)
    red = cv2.addWeighted(y, k.y, v, k.red_v, k.red_0)
    np.multiply(red, np.float32(1 / 255), out=out[0])
    cv2.addWeighted(y, k.y, green, 2.0, k.green_0 - 320.0, dst=red)
    np.multiply(red, np.float32(1 / 255), out=out[1])
    cv2.addWeighted(y, k.y, u, k.blue_u, k.blue_0, dst=red)
    np.multiply(red, np.float32(1 / 255), out=out[2])
