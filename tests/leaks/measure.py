"""How much of an object's detail is left in an output: 1 is all of it, 0 nothing."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.leaks.painted import Mask, Painted, truth_mask

WINDOW = 12  # side of the squares that are judged, one at every pixel
LEAST_PIXELS = 40  # of an object in a square: fewer say too little
VISIBLE = 0.3  # covered objects have about 0.1, a bare sliver of four pixels nearly 1

Floats = NDArray[np.float32]


def decoded_luma(path: Path) -> list[NDArray[np.uint8]]:
    """The luma of every picture of a file, in the order in which they are shown."""
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="yuv420p")[: frame.height]
            for frame in container.decode(video=0)
        ]


def detail_left(source: NDArray[np.uint8], output: NDArray[np.uint8], mask: Mask) -> float:
    """The share of the source's fine detail under `mask` that the output repeats, at its worst
    square: the slope of the regression of one's detail on the other's. 0 where less than
    `LEAST_PIXELS` show at any place: that little is judged before the encoder alone."""
    a, b = _detail(source) * mask, _detail(output) * mask
    both, alone = _sums(a * b), _sums(a * a)
    judged = judgeable(mask)
    return float((both[judged] / np.maximum(alone[judged], 1.0)).max(initial=0.0))


def judgeable(mask: Mask) -> Mask:
    """The centres of the squares that hold enough of an object to be judged."""
    return np.asarray(_sums(mask.astype(np.float32)) >= LEAST_PIXELS, np.bool_)


def leaks(
    frames: list[Painted], output: list[NDArray[np.uint8]], things: set[int] | None = None
) -> list[tuple[int, int, float]]:
    """(frame, thing, detail left) of every object that shows in an output; `things` limits it."""
    assert len(frames) == len(output)
    found = []
    for index, (painted, shown) in enumerate(zip(frames, output, strict=True)):
        for truth in painted.truths:
            if things is None or truth.thing in things:
                left = detail_left(painted.frame.y, shown, truth_mask(truth))
                if left > VISIBLE:
                    found.append((index, truth.thing, round(left, 2)))
    return found


def _detail(luma: NDArray[np.uint8]) -> Floats:
    """What a median takes away: grain, but not the long straight edges of a mosaic."""
    return np.asarray(luma.astype(np.float32) - cv2.medianBlur(luma, 5), np.float32)


def _sums(values: Floats) -> Floats:
    return np.asarray(
        cv2.boxFilter(
            values, -1, (WINDOW, WINDOW), normalize=False, borderType=cv2.BORDER_CONSTANT
        ),
        np.float32,
    )
