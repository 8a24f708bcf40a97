"""Clips whose objects bear a fine pattern: any uncovered sliver of one can be recognised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_agent.frame import Frame
from tests.edge_agent.clips import Clip, Truth

WIDTH, HEIGHT = 384, 216
CONTRAST = 70
GRAIN = 2  # side of the pattern's cells, in pixels

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """One frame and everything that must not be seen of it."""

    frame: Frame
    truths: list[Truth]

    def fresh(self) -> Frame:
        """A copy that the pipeline may write to."""
        planes = {name: getattr(self.frame, name).copy() for name in "yuv"}
        return replace(self.frame, **planes)


class PaintedClip:
    """A rendered scenario, with grain on its objects. Frames are made once and kept."""

    def __init__(self, name: str, fps: int, seed: int = 0) -> None:
        clip = Clip(name, fps=fps, width=WIDTH, height=HEIGHT, seed=seed)
        self.fps = fps
        pictures = list(clip)
        extents = _extents(truth for _, truths in pictures for truth in truths)
        self.frames = [_grained(frame, truths, extents) for frame, truths in pictures]

    def __iter__(self) -> Iterator[Frame]:
        return (painted.fresh() for painted in self.frames)

    def seen_seconds(self, thing: int) -> float:
        """How long an object shows, all in all."""
        shown = sum(any(t.thing == thing for t in painted.truths) for painted in self.frames)
        return shown / self.fps


@lru_cache(maxsize=40)
def painted_clip(name: str, fps: int, seed: int = 0) -> PaintedClip:
    return PaintedClip(name, fps, seed)


def touched(part: NDArray[np.float64]) -> tuple[slice, slice]:
    """Rows and columns of all pixels that a rectangle touches, were it only a corner of them."""
    x1, y1 = np.floor(part[:2] + 1e-6).astype(int)
    x2, y2 = np.ceil(part[2:] - 1e-6).astype(int)
    return slice(y1, y2), slice(x1, x2)


def truth_mask(truth: Truth) -> Mask:
    """(H, W): every pixel that the object touches."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    for part in truth.parts:
        mask[touched(part)] = True
    return mask


def _extents(truths: Iterable[Truth]) -> dict[int, NDArray[np.float64]]:
    """The largest width and height that shows of each object."""
    extents: dict[int, NDArray[np.float64]] = {}
    for truth in truths:
        shown = truth.xyxy[2:] - truth.xyxy[:2]
        extents[truth.thing] = np.maximum(extents.get(truth.thing, shown), shown)
    return extents


def _grained(frame: Frame, truths: list[Truth], extents: dict[int, NDArray[np.float64]]) -> Painted:
    """The pattern is fixed to its object, also where the picture's edge hides the left or top."""
    for truth in truths:
        grain = _grain(truth.thing)
        near, far = truth.xyxy[:2], truth.xyxy[2:]
        corner = np.where(near > 0, near, np.minimum(near, far - extents[truth.thing]))
        for part in truth.parts:
            rows, columns = touched(part)
            luma = frame.y[rows, columns]
            left, top = np.rint(corner).astype(int)
            y = (np.arange(rows.start, rows.stop) - top) // GRAIN % len(grain)
            x = (np.arange(columns.start, columns.stop) - left) // GRAIN % len(grain)
            luma[:] = np.clip(luma * 0.4 + 76 + grain[np.ix_(y, x)], 0, 255).astype(np.uint8)
    return Painted(frame, truths)


@lru_cache(maxsize=40)
def _grain(thing: int) -> NDArray[np.int64]:
    sign = np.random.default_rng(500 + thing).integers(0, 2, (64, 64)) * 2 - 1
    return np.asarray(sign * CONTRAST, np.int64)
