"""One flat drawn object, as banks keep it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """pixels: (H, W, 4) RGBA, straight alpha; layout: the family that split is decided by;
    trait: what evaluation reports apart (a card's portrait, a plate's country)."""

    pixels: Image8
    layout: str
    trait: str
