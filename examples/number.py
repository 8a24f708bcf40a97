"""A picture's number as a strip of squares at its top edge, which survives encoding and no veil."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

BITS = 10  # each is shown twice, the second time reversed, so that no veil passes for a number
HEIGHT = 8
DARK, LIGHT = 70, 190
SURE = 40  # least difference between the two squares of a bit

Picture = NDArray[np.uint8]


def stamp(picture: Picture, value: int) -> None:
    """Write the number into an RGB picture, in place. value: below 1024."""
    for place, columns in enumerate(_squares(picture.shape[1])):
        bit = value >> (place // 2) & 1
        picture[:HEIGHT, columns] = LIGHT if bit != place % 2 else DARK


def read(luma: Picture) -> int | None:
    """The number of a picture, (H, W) uint8; None if it cannot be read."""
    strip = luma[1 : HEIGHT - 1].astype(np.float32)
    found = [float(strip[:, columns].mean()) for columns in _squares(luma.shape[1])]
    value = 0
    for bit in range(BITS):
        difference = found[2 * bit] - found[2 * bit + 1]
        if abs(difference) < SURE:
            return None
        value |= (difference > 0) << bit
    return value


def _squares(width: int) -> list[slice]:
    edges = np.linspace(0, width, 2 * BITS + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
