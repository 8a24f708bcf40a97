"""Rendered clips with known truth: textured objects over a lively background, one scenario each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import Detections
from edge_agent.frame import Frame

Path = Callable[[float], "tuple[float, float, float, float] | None"]
Area = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Truth:
    """One object on one frame. parts: (P, 4) float64, its visible rectangles, inside the frame."""

    thing: int
    label: int
    parts: NDArray[np.float64]

    @property
    def xyxy(self) -> NDArray[np.float64]:
        """What can be seen of it, as one box."""
        return np.concatenate([self.parts[:, :2].min(axis=0), self.parts[:, 2:].max(axis=0)])


@dataclass(frozen=True, slots=True)
class Thing:
    """One textured object. path(t): its box (left, top, right, bottom) in shares of the frame's
    width and height on the background that the camera shows, or None while it is not there."""

    path: Path
    label: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """camera(t, n): where the view has moved to, in shares of width and height; n is the frame."""

    name: str
    seconds: float
    things: tuple[Thing, ...]
    camera: Callable[[float, int], tuple[float, float]] = lambda _t, _n: (0.0, 0.0)
    cuts: tuple[float, ...] = ()
    bars: tuple[Area, ...] = field(default=())


def at(cx: float, cy: float, w: float, h: float) -> Area:
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def during(start: float, end: float, path: Path) -> Path:
    return lambda t: path(t - start) if start <= t < end else None


def standing(cx: float, cy: float, w: float = 0.12, h: float = 0.1) -> Path:
    return lambda _t: at(cx, cy, w, h)


def shaken(_t: float, n: int) -> tuple[float, float]:
    x, y = np.random.default_rng(1000 + n).uniform(-0.015, 0.015, 2)
    return float(x), float(y)


def scenarios() -> dict[str, Scenario]:
    """All scenarios by name."""
    grid = tuple(
        Thing(standing(0.03 + 0.047 * (i % 20), 0.05 + 0.063 * (i // 20), 0.02, 0.025), i % 3)
        for i in range(300)
    )
    some = (
        Scenario("pop_up", 1.5, (Thing(during(0.43, 1.2, standing(0.4, 0.5))),)),
        Scenario("fast_pass", 1.4, (Thing(lambda t: at(-0.1 + (t - 0.35) * 2.4, 0.45, 0.12, 0.09)),
                                    Thing(lambda t: at(1.1 - (t - 0.5) * 2.0, 0.75, 0.1, 0.08)))),
        Scenario("growing", 1.6, (Thing(grown),)),
        Scenario("leaving_edge", 1.6, (Thing(lambda t: at(0.5 + 0.45 * t, 0.3, 0.14, 0.1)),
                                       Thing(lambda t: at(0.3, 0.5 + 0.5 * t, 0.14, 0.1), 2))),
        Scenario("entering_edge", 1.6, (Thing(lambda t: at(-0.2 + 0.45 * t, 0.3, 0.14, 0.1)),
                                        Thing(lambda t: at(0.6, -0.3 + 0.5 * t, 0.14, 0.1), 1))),
        Scenario("cut", 1.8, (Thing(during(0, 0.7, standing(0.3, 0.4))),
                              Thing(during(0.7, 1.3, lambda t: at(0.6 + 0.2 * t, 0.6, 0.1, 0.1))),
                              Thing(during(1.3, 9, standing(0.45, 0.5, 0.2, 0.18), ), 1)),
                 cuts=(0.7, 1.3)),
        Scenario("occlusion", 2.0, (Thing(lambda t: at(0.1 + 0.4 * t, 0.5, 0.12, 0.1)),),
                 bars=((0.4, 0.2, 0.55, 0.9),)),
        Scenario("shake", 1.6, (Thing(standing(0.3, 0.4)),
                                Thing(lambda t: at(0.9 - 0.3 * t, 0.7, 0.1, 0.08), 1)), shaken),
        Scenario("pan", 1.6, (Thing(lambda _t: at(0.8, 0.4, 0.12, 0.1)),
                              Thing(lambda _t: at(1.3, 0.6, 0.12, 0.1), 2)),
                 lambda t, _n: (0.9 * max(0.0, t - 0.3) if t < 1.1 else 0.72, 0.0)),
        Scenario("many", 1.2, grid, lambda t, _n: (0.02 * t, 0.0)),
    )  # fmt: skip
    return {one.name: one for one in some}


def grown(t: float) -> Area:
    size = 0.035 / (1.9 - t)
    return at(0.45 + 0.05 * size, 0.5, size, 0.8 * size)


@lru_cache(maxsize=4)
def landscape(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """A busy picture of uint8 greys, larger than the frame by its width on the left and right and
    a tenth of its height above and below."""
    rng = np.random.default_rng(seed)
    size = (3 * width, height + height // 5)
    picture = np.full(size[::-1], float(rng.uniform(90, 150)), np.float32)
    for cells, depth in ((24, 40.0), (90, 25.0), (400, 14.0)):
        noise = rng.normal(0, depth, (max(cells // 3, 2), cells)).astype(np.float32)
        picture += cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        x, y = (int(v) for v in rng.uniform(0, size))
        w, h = (int(v) for v in rng.uniform(0.02, 0.12, 2) * width)
        cv2.rectangle(picture, (x, y), (x + w, y + h), float(rng.uniform(30, 225)), -1)
    return np.clip(picture, 0, 255).astype(np.uint8)


@lru_cache(maxsize=400)
def texture(seed: int) -> NDArray[np.float32]:
    """A light tag with dark strokes, (48, 96) float32 greys."""
    rng = np.random.default_rng(9000 + seed)
    tag = np.full((48, 96), float(rng.uniform(190, 235)), np.float32)
    cv2.rectangle(tag, (1, 1), (94, 46), 60.0, 2)
    for x in range(8, 84, 12):
        for _ in range(3):
            a, b = rng.integers(0, 9, 2), rng.integers(0, 9, 2)
            start, end = (x + int(a[0]), 8 + 3 * int(a[1])), (x + int(b[0]), 14 + 3 * int(b[1]))
            cv2.line(tag, start, end, 25.0, 3)
    return tag


class Clip:
    """Iterates over (Frame, list of Truth). The same arguments give the same pixels every time."""

    def __init__(
        self, name: str, *, fps: int = 30, width: int = 1280, height: int = 720, seed: int = 0
    ) -> None:
        self.scenario = scenarios()[name]
        self.fps, self.width, self.height, self.seed = fps, width, height, seed

    def __len__(self) -> int:
        return round(self.scenario.seconds * self.fps)

    def __iter__(self) -> Iterator[tuple[Frame, list[Truth]]]:
        for index in range(len(self)):
            yield self.picture(index)

    def picture(self, index: int) -> tuple[Frame, list[Truth]]:
        """Frame number `index` and all objects that show on it."""
        t = index / self.fps
        view = self.scenario.camera(t, index)
        luma = self._background(t, view)
        truths = []
        for number, thing in enumerate(self.scenario.things):
            share = thing.path(t)
            if share is None:
                continue
            scale = np.array([self.width, self.height, self.width, self.height])
            box = (np.array(share) - np.tile(view, 2)) * scale
            if paste(luma, texture(number + 97 * self.seed), box):
                parts = self._visible(box)
                if len(parts):
                    truths.append(Truth(number, thing.label, parts))
        for bar in self._bars():
            cv2.rectangle(luma, tuple(bar[:2]), tuple(bar[2:] - 1), 70, -1)
        chroma = [np.full((self.height // 2, self.width // 2), c, np.uint8) for c in (120, 136)]
        frame = Frame(luma, chroma[0], chroma[1], index, Fraction(1, self.fps), index, 0)
        return frame, truths

    def _background(self, t: float, view: tuple[float, float]) -> NDArray[np.uint8]:
        scene = sum(t >= cut for cut in self.scenario.cuts)
        wide = landscape(self.width, self.height, 10 * self.seed + scene)
        x = round((view[0] + 0.5) * self.width)
        y = round(view[1] * self.height + self.height / 10)
        luma = wide[y : y + self.height, x : x + self.width].copy()
        for k in range(4):  # things that move about by themselves
            cx = (0.5 + 0.45 * np.sin(1.7 * t + 2.1 * k) - view[0]) * self.width
            cy = (0.25 + 0.18 * k + 0.05 * np.cos(3 * t + k) - view[1]) * self.height
            radius = round(self.width * (0.015 + 0.006 * k))
            cv2.circle(luma, (round(cx), round(cy)), radius, 60 + 45 * k, -1)
        return luma

    def _bars(self) -> list[NDArray[np.int64]]:
        scale = np.array([self.width, self.height, self.width, self.height])
        return [np.rint(np.array(bar) * scale).astype(np.int64) for bar in self.scenario.bars]

    def _visible(self, box: NDArray[np.float64]) -> NDArray[np.float64]:
        """The box without what the frame's edge and the bars (taller than any object) hide."""
        limit = np.array([self.width, self.height, self.width, self.height], np.float64)
        parts = [np.clip(box, 0, limit)]
        for bar in self._bars():
            parts = [
                np.array([low, part[1], high, part[3]])
                for part in parts
                for low, high in ((part[0], min(part[2], bar[0])), (max(part[0], bar[2]), part[2]))
            ]
        shown = [p for p in parts if p[2] - p[0] >= 1e-6 and p[3] - p[1] >= 1e-6]
        return np.array(shown, np.float64).reshape(-1, 4)


def paste(luma: NDArray[np.uint8], tag: NDArray[np.float32], box: NDArray[np.float64]) -> bool:
    """Draw the tag into the box with sub-pixel sides; whether any of it lies in the picture."""
    height, width = luma.shape
    x1, y1 = np.floor(box[:2]).astype(int) - 1
    x2, y2 = np.ceil(box[2:]).astype(int) + 1
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if right <= left or bottom <= top:
        return False
    sx, sy = (box[2] - box[0]) / tag.shape[1], (box[3] - box[1]) / tag.shape[0]
    move = np.array([[sx, 0, box[0] - left], [0, sy, box[1] - top]])
    move[:, 2] += (np.array([sx, sy]) - 1) / 2
    size = (right - left, bottom - top)
    drawn = cv2.warpAffine(tag, move, size, borderMode=cv2.BORDER_REPLICATE)
    xs, ys = np.arange(left, right), np.arange(top, bottom)
    cover_x = np.clip(np.minimum(xs + 1, box[2]) - np.maximum(xs, box[0]), 0, 1)
    cover_y = np.clip(np.minimum(ys + 1, box[3]) - np.maximum(ys, box[1]), 0, 1)
    alpha = (cover_y[:, None] * cover_x[None, :]).astype(np.float32)
    under = luma[top:bottom, left:right]
    under[:] = np.rint(under * (1 - alpha) + drawn * alpha).astype(np.uint8)
    return bool(alpha.any())


class PerfectDetector:
    """Finds exactly what shows, except that it overlooks each object with probability `miss`.

    rate: the looks per second that `due` asks for.
    """

    def __init__(self, rate: float = 8.0, *, miss: float = 0.0, seed: int = 0) -> None:
        self.rate, self.miss = rate, miss
        self._rng = np.random.default_rng(seed)
        self._next_ns = 0
        self.found: set[int] = set()

    def due(self, frame: Frame) -> bool:
        """Whether this frame is to be looked at: the first one at or after each tick."""
        if frame.time_ns < self._next_ns:
            return False
        self._next_ns += round(1e9 / self.rate)
        return True

    def look(self, truths: list[Truth]) -> Detections:
        seen = [truth for truth in truths if self._rng.random() >= self.miss]
        self.found.update(truth.thing for truth in seen)
        if not seen:
            return Detections.empty()
        return Detections(
            np.array([truth.xyxy for truth in seen], np.float32),
            np.full(len(seen), 0.9, np.float32),
            np.array([truth.label for truth in seen], np.int32),
        )
