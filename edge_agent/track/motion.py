"""What the camera did: small copies of the frames, their cuts and the picture's global shift."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.frame import Plane

THUMB_WIDTH = 320  # thumbnails are halved while they stay at least this wide
CAMERA_WIDTH = 160
CUT_DIFFERENCE = 14.0  # grey levels; below it two pictures are one scene
UNLIKE = 0.4  # share of alike pixels, after the best shift, below which they are two scenes
CUT_JUMP = 2.2  # ...and this many times what neighbouring frames differed lately
RECENT = 8
ALIKE = 6.0  # grey levels
ENOUGH = 0.75  # share of alike pixels that makes a shift certain

Gray = NDArray[np.float32]
Offsets = NDArray[np.float64]
Picture = TypeVar("Picture", Plane, Gray)


def shrink(luma: Plane, width: int) -> Plane:
    """Halve an (H, W) uint8 picture until one more halving would make it narrower than `width`.

    Repeated exact halving is many times cheaper than one area resize. The result is a new array.
    """
    small = luma
    while small.shape[1] // 2 >= width:
        half = (small.shape[1] // 2, small.shape[0] // 2)
        small = np.asarray(cv2.resize(small, half, interpolation=cv2.INTER_AREA), np.uint8)
    return small.copy() if small is luma else small


def overlap(before: Picture, after: Picture, dx: int, dy: int) -> tuple[Picture, Picture]:
    """The parts of two equal-sized pictures that show the same if content moved by (dx, dy)."""
    height, width = before.shape
    w, h = width - abs(dx), height - abs(dy)
    x, y = max(-dx, 0), max(-dy, 0)
    return before[y : y + h, x : x + w], after[y + dy : y + dy + h, x + dx : x + dx + w]


def refine(before: Gray, after: Gray, dx: int, dy: int) -> tuple[float, float]:
    """One Gauss-Newton step (Lucas-Kanade, whole picture) around an integer shift, in pixels.

    Pixels that differ by far more than most belong to moving objects and are left out.
    """
    a, b = overlap(before, after, dx, dy)
    rows = slice(1, -1, 2)  # half of them are plenty
    step = (b[rows] - a[rows])[:, 1:-1]
    gx = (b[rows, 2:] - b[rows, :-2]) * 0.5
    gy = (b[2::2] - b[:-2:2])[: len(step), 1:-1] * 0.5
    size = np.abs(step)
    keep = size <= 2.5 * size.mean() + 1.0
    gx, gy, step = gx[keep], gy[keep], step[keep]
    xx, yy, xy = float(gx @ gx), float(gy @ gy), float(gx @ gy)
    tx, ty = -float(gx @ step), -float(gy @ step)
    det = xx * yy - xy * xy
    if det <= 1e-5 * (xx + yy) ** 2 + 1e-6:
        return 0.0, 0.0
    return (yy * tx - xy * ty) / det, (xx * ty - xy * tx) / det


def agreement(before: Plane, after: Plane, dx: int, dy: int) -> float:
    """The share of pixels that look alike if content moved by (dx, dy): whatever else moves by
    itself, however bold, counts by its area alone."""
    a, b = overlap(before, after, dx, dy)
    return cv2.countNonZero(cv2.inRange(cv2.absdiff(a, b), 0, ALIKE)) / a.size


def global_shift(
    before: Plane, after: Plane, window: Gray, guess: tuple[float, float]
) -> tuple[float, float]:
    """How far the content moved from one picture to the next (dx, dy), in pixels of these pictures.

    Tried are rest, the guess and, where these explain too little, the peak of the phase
    correlation (Kuglin and Hines, 1975); the shift that most pixels agree with is then refined.
    """
    height, width = before.shape
    tries = {(0, 0), (round(guess[0]), round(guess[1]))}
    votes = {shift: agreement(before, after, *shift) for shift in tries}
    a, b = before.astype(np.float32), after.astype(np.float32)
    if max(votes.values()) < ENOUGH:
        (px, py), _ = cv2.phaseCorrelate(a, b, window)
        peak = (round(px), round(py))
        if abs(peak[0]) <= width // 2 and abs(peak[1]) <= height // 2:
            votes[peak] = agreement(before, after, *peak)
    dx, dy = max(votes, key=lambda shift: votes[shift])
    fx, fy = refine(a, b, dx, dy)
    if max(abs(fx), abs(fy)) > 0.6:  # the fraction is only good near the right pixel
        dx, dy = dx + max(-1, min(1, round(fx))), dy + max(-1, min(1, round(fy)))
        fx, fy = refine(a, b, dx, dy)
    return dx + max(-1.0, min(1.0, fx)), dy + max(-1.0, min(1.0, fy))


def difference(a: Plane, b: Plane) -> float:
    """Spread of the grey-level difference: a change of brightness alone counts for nothing."""
    return float(cv2.meanStdDev(cv2.subtract(a, b, dtype=cv2.CV_16S))[1][0, 0])


@dataclass(slots=True)
class Still:
    """One seen frame: thumbnail for following, smaller copy for the camera, shot number.

    `shift` is the camera's (dx, dy) since the frame before, in frame pixels; None until asked for.
    """

    time_ns: int
    thumb: Plane
    small: Plane
    shot: int
    shift: tuple[float, float] | None


class Reel:
    """The recent frames in small. Times rise strictly; sizes never change without `clear()`."""

    def __init__(self) -> None:
        self.stills: list[Still] = []
        self.times: list[int] = []
        self.first = 0  # running number of stills[0]
        self.size = (0, 0)
        self._walked_from = 0  # running number of the first still whose place is in _walked
        self._walked: list[tuple[float, float]] = []
        self._differences: list[float] = []
        self._window: Gray = np.zeros((0, 0), np.float32)

    def clear(self) -> None:
        self.first += len(self.stills)
        self.stills.clear()
        self.times.clear()
        self._walked.clear()
        self._differences.clear()
        self.size = (0, 0)

    def add(self, time_ns: int, luma: Plane) -> None:
        """Keep a small copy of the frame's (H, W) luma and note whether a new shot begins."""
        thumb = shrink(luma, THUMB_WIDTH)
        small = shrink(thumb, CAMERA_WIDTH)
        if not self.stills:
            self.size = (luma.shape[1], luma.shape[0])
            self._window = np.asarray(
                cv2.createHanningWindow((small.shape[1], small.shape[0]), cv2.CV_32F), np.float32
            )
            self._push(Still(time_ns, thumb, small, self.first, (0.0, 0.0)))
            return
        last = self.stills[-1]
        still = Still(time_ns, thumb, small, last.shot, None)
        if self._is_cut(last, still):
            still.shot, still.shift = self.first + len(self.stills), (0.0, 0.0)
            self._differences.clear()
        self._push(still)

    def _push(self, still: Still) -> None:
        self.stills.append(still)
        self.times.append(still.time_ns)

    def _is_cut(self, last: Still, still: Still) -> bool:
        plain = difference(last.small, still.small)
        usual = median(self._differences) if self._differences else 0.0
        self._differences = [*self._differences[-RECENT + 1 :], plain]
        if plain < max(CUT_DIFFERENCE, CUT_JUMP * usual):
            return False
        dx, dy = self._shift(last, still)
        sx, sy = self._scale(still.small)
        shift = (round(dx / sx), round(dy / sy))
        return agreement(last.small, still.small, *shift) < UNLIKE

    def _scale(self, small: NDArray[np.generic]) -> tuple[float, float]:
        return self.size[0] / small.shape[1], self.size[1] / small.shape[0]

    def _shift(self, last: Still, still: Still) -> tuple[float, float]:
        if still.shift is None:
            sx, sy = self._scale(still.small)
            guess = last.shift or (0.0, 0.0)
            dx, dy = global_shift(
                last.small, still.small, self._window, (guess[0] / sx, guess[1] / sy)
            )
            still.shift = (dx * sx, dy * sy)
        return still.shift

    def index(self, time_ns: int) -> int:
        """Running number of the last still at or before this time (the first still if none is)."""
        return self.first + max(bisect_right(self.times, time_ns) - 1, 0)

    def after(self, time_ns: int, count: int) -> list[int]:
        """The times of the next `count` stills after this time, as far as there are some."""
        first = bisect_right(self.times, time_ns)
        return self.times[first : first + count]

    def still(self, number: int) -> Still | None:
        at = number - self.first
        return self.stills[at] if 0 <= at < len(self.stills) else None

    def shot(self, time_ns: int) -> int:
        """Number of the shot that this time lies in; -1 before any frame."""
        return self.stills[self.index(time_ns) - self.first].shot if self.stills else -1

    def step(self, number: int) -> tuple[float, float]:
        """The camera's (dx, dy) from the still before this one, in frame pixels."""
        at = number - self.first
        if at <= 0 or at >= len(self.stills):
            return 0.0, 0.0
        return self._shift(self.stills[at - 1], self.stills[at])

    def offsets(self, times_ns: NDArray[np.int64]) -> Offsets:
        """Where the camera had moved the picture to at each time: (N, 2) frame pixels.

        Only differences mean anything. Frames outside the span of `times_ns` are not looked at.
        """
        if not self.stills or not len(times_ns):
            return np.zeros((len(times_ns), 2))
        at = np.maximum(np.searchsorted(self.times, times_ns, side="right") - 1, 0)
        low, high = int(at.min()), int(at.max())
        path = self._path(low + self.first, high + self.first)
        return np.asarray(np.array(path)[at - low], np.float64)

    def _path(self, low: int, high: int) -> list[tuple[float, float]]:
        """The camera's steps added up, for the stills of these running numbers."""
        if not self._walked_from <= low < self._walked_from + len(self._walked):
            self._walked_from, self._walked = low, [(0.0, 0.0)]
        for number in range(self._walked_from + len(self._walked), high + 1):
            (x, y), (dx, dy) = self._walked[-1], self.step(number)
            self._walked.append((x + dx, y + dy))
        return self._walked[low - self._walked_from : high - self._walked_from + 1]

    def forget_before(self, time_ns: int) -> None:
        gone = bisect_right(self.times, time_ns - 1)
        del self.stills[:gone], self.times[:gone]
        self.first += gone
        walked = max(self.first - self._walked_from, 0)
        del self._walked[:walked]
        self._walked_from += walked
