"""Making many pictures of one: cropping at any scale, light, blur, noise, and the tracer band.

A sample is a picture (H, W, 3) uint8 RGB with its boxes (N, 4) float32 corners in pixels and its
labels (N,) int32, where `IGNORED` marks a region in which nothing is punished.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import FloatArray, IntArray
from training.data import IGNORED, PLATE, Picture

GREY = 114
TRACER_BAND = 24
VISIBLE_ENOUGH = 0.35
# Shorter sides in px, by class and for an ignored region: below, a class cannot be told by eye.
SMALLEST_SIDES = np.array([5.0, 12.0, 9.0, 0.0], np.float32)
FAINTEST = 7.0  # standard deviation of grey: below, nothing of an object can be seen


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One training picture and what it shows."""

    picture: Picture
    boxes: FloatArray
    labels: IntArray


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a source is shown: source pixel = (target pixel) / scale + origin."""

    x: float
    y: float
    scale_x: float
    scale_y: float


def choose_window(
    rng: np.random.Generator,
    sample: Sample,
    interest: FloatArray,
    size: tuple[int, int],
    tallest: float,
) -> Window:
    """A window of `size` (width, height) around one box of `interest`, scaled to a drawn height.

    Half the time near the native scale; else so that heights spread evenly, on a log scale, from
    8 px to `tallest`: small objects are rare in the sources and common in streams.
    """
    height, width = sample.picture.shape[:2]
    focus = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    scale = float(np.exp(rng.uniform(np.log(0.6), np.log(1.4))))
    if len(interest):
        box = interest[rng.integers(len(interest))]
        focus = (box[:2] + box[2:]) / 2
        if rng.random() < 0.5:
            wanted = np.exp(rng.uniform(np.log(8), np.log(tallest)))
            scale = float(np.clip(wanted / max(box[3] - box[1], 1.0), 0.18, 2.2))
    stretch = float(np.exp(rng.uniform(-0.15, 0.15)))
    scale_x, scale_y = scale * stretch, scale / stretch
    place = rng.uniform(0.08, 0.92, 2) * size
    x, y = focus - place / [scale_x, scale_y]
    # Keep inside the picture where it is large enough, else show all of it.
    x = _slide(x, width, size[0] / scale_x, rng)
    y = _slide(y, height, size[1] / scale_y, rng)
    return Window(x, y, scale_x, scale_y)


def filling_window(rng: np.random.Generator, sample: Sample, size: tuple[int, int]) -> Window:
    """A part of the picture that fills all of the target."""
    height, width = sample.picture.shape[:2]
    scale = max(size[0] / width, size[1] / height) * float(np.exp(rng.uniform(0, 0.7)))
    x, y = rng.uniform(0, width - size[0] / scale), rng.uniform(0, height - size[1] / scale)
    return Window(x, y, scale, scale)


def whole_window(rng: np.random.Generator, sample: Sample, size: tuple[int, int]) -> Window:
    """All of the picture at the largest scale that fits, a little over or under."""
    height, width = sample.picture.shape[:2]
    scale = min(size[0] / width, size[1] / height) * float(rng.uniform(0.8, 1.25))
    stretch = float(np.exp(rng.uniform(-0.12, 0.12)))
    scale_x, scale_y = scale * stretch, scale / stretch
    x = _slide(0.0, width, size[0] / scale_x, rng)
    y = _slide(0.0, height, size[1] / scale_y, rng)
    return Window(x, y, scale_x, scale_y)


def cut(sample: Sample, window: Window, canvas: Picture) -> Sample:
    """Draw the window of the sample over `canvas`, which is written to and owned by the result."""
    height, width = canvas.shape[:2]
    source_h, source_w = sample.picture.shape[:2]
    left, top = max(0, round(window.x)), max(0, round(window.y))
    right = min(source_w, round(window.x + width / window.scale_x))
    bottom = min(source_h, round(window.y + height / window.scale_y))
    x = min(max(0, round((left - window.x) * window.scale_x)), width)
    y = min(max(0, round((top - window.y) * window.scale_y)), height)
    w = min(width - x, round((right - left) * window.scale_x))
    h = min(height - y, round((bottom - top) * window.scale_y))
    if w <= 0 or h <= 0:
        return Sample(canvas, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    part = sample.picture[top:bottom, left:right]
    shrinks = window.scale_x * window.scale_y < 1
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    canvas[y : y + h, x : x + w] = cv2.resize(part, (w, h), interpolation=method)
    factor = np.array([w / (right - left), h / (bottom - top)] * 2, np.float32)
    boxes = (sample.boxes - np.array([left, top] * 2, np.float32)) * factor
    boxes += np.array([x, y] * 2, np.float32)
    boxes, labels = keep_visible(boxes, sample.labels, (x, y, x + w, y + h))
    return Sample(canvas, boxes, labels)


def keep_visible(
    boxes: FloatArray, labels: IntArray, inside: tuple[float, float, float, float]
) -> tuple[FloatArray, IntArray]:
    """Clip boxes to a rectangle. What is cut too far or too small to judge becomes `IGNORED`."""
    low, high = np.array(inside[:2] * 2, np.float32), np.array(inside[2:] * 2, np.float32)
    clipped = np.clip(boxes, low, high)
    sides = clipped[:, 2:] - clipped[:, :2]
    seen = sides.prod(1) / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-6)
    doubtful = (seen < VISIBLE_ENOUGH) | (sides.min(1, initial=1e9) < SMALLEST_SIDES[labels])
    labels = np.where(doubtful, IGNORED, labels).astype(np.int32)
    present = (sides > 0.5).all(1)
    return clipped[present].astype(np.float32), labels[present]


def ignore_unseen(sample: Sample) -> Sample:
    """Ask for no object that the dark, the glare, the blur or the noise has wiped out."""
    labels = sample.labels.copy()
    for i, (x1, y1, x2, y2) in enumerate(sample.boxes.astype(int)):
        part = sample.picture[y1 : y2 + 1, x1 : x2 + 1, 1]
        if part.size and cv2.blur(part, (3, 3)).std() < FAINTEST:  # blurred: noise shows nothing
            labels[i] = IGNORED
    return replace(sample, labels=labels)


def mirror(sample: Sample) -> Sample:
    boxes = sample.boxes.copy()
    boxes[:, [0, 2]] = sample.picture.shape[1] - sample.boxes[:, [2, 0]]
    return replace(sample, picture=np.ascontiguousarray(sample.picture[:, ::-1]), boxes=boxes)


def quarter_turn(sample: Sample) -> Sample:
    """Turn by 90 degrees against the clock: labels lie any way round."""
    x1, y1, x2, y2 = sample.boxes.T
    width = sample.picture.shape[1]
    boxes = np.stack([y1, width - x2, y2, width - x1], 1)
    return replace(sample, picture=np.ascontiguousarray(np.rot90(sample.picture)), boxes=boxes)


def add_tracer_band(rng: np.random.Generator, sample: Sample) -> Sample:
    """Cover the bottom rows with the grey band and its small plate that every look must find."""
    picture = sample.picture
    height, width = picture.shape[:2]
    content = height - TRACER_BAND
    picture[content:] = GREY
    boxes, labels = keep_visible(sample.boxes, sample.labels, (0, 0, width, content))
    tracer = tracer_picture()
    h, w = tracer.shape[:2]
    x = int(rng.integers(0, width - w + 1))
    y = content + (TRACER_BAND - h) // 2
    picture[y : y + h, x : x + w] = tracer
    box = np.array([[x, y, x + w, y + h]], np.float32)
    return replace(
        sample, boxes=np.concatenate([boxes, box]), labels=np.append(labels, np.int32(PLATE))
    )


@cache
def tracer_picture() -> Picture:
    """(18, 72, 3) RGB."""
    packed = np.frombuffer((files("edge_agent.detect") / "tracer.png").read_bytes(), np.uint8)
    picture = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.ascontiguousarray(picture[..., ::-1])


def vary_look(rng: np.random.Generator, picture: Picture, strength: float = 1.0) -> Picture:
    """Light, colour, blur, noise and compression as cameras and streams have them."""
    if rng.random() < 0.8 * strength:
        picture = _relight(rng, picture)
    if rng.random() < 0.12 * strength:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        share = float(rng.choice([1.0, rng.uniform(-0.4, 0.9)]))
        picture = np.asarray(cv2.addWeighted(grey, share, picture, 1 - share, 0), np.uint8)
    if rng.random() < 0.25 * strength:
        picture = _soften(rng, picture)
    if rng.random() < 0.25 * strength:
        noisy = cv2.add(picture, _noise(rng, picture.shape), dtype=cv2.CV_8U)
        picture = np.asarray(noisy, np.uint8)
    if rng.random() < 0.3 * strength:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 85))]
        packed = cv2.imencode(".jpg", picture, quality)[1]
        picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return picture


def _relight(rng: np.random.Generator, picture: Picture) -> Picture:
    ramp = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.normal(0, 0.3)) * np.exp(rng.normal(0, 0.06, 3))
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.07, 3))
    curve = (ramp**gamma) * gain + rng.normal(0, 0.06)
    table = np.clip(curve * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table[None]), np.uint8)


def _soften(rng: np.random.Generator, picture: Picture) -> Picture:
    kind = rng.random()
    if kind < 0.4:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.5)), np.uint8)
    height, width = picture.shape[:2]
    if kind < 0.7:
        share = rng.uniform(0.4, 0.85)
        small = cv2.resize(
            picture, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA
        )
        return np.asarray(cv2.resize(small, (width, height)), np.uint8)
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    middle = np.full(2, (length - 1) / 2)
    start, end = (tuple(int(v) for v in np.rint(middle + side * reach)) for side in (-1, 1))
    cv2.line(kernel, start, end, 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / max(kernel.sum(), 1.0)), np.uint8)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int16]:
    field = _noise_field()
    y, x = rng.integers(0, 512 - 384), rng.integers(0, 1024 - 640)
    part = field[y : y + shape[0], x : x + shape[1]]
    return np.asarray(part * rng.uniform(2, 14), np.int16)


@cache
def _noise_field() -> NDArray[np.float32]:
    """One standard normal field, of which each picture shows some part: drawing is slow."""
    return np.random.default_rng(5).standard_normal((512, 1024, 3), np.float32)


def _slide(start: float, source: float, shown: float, rng: np.random.Generator) -> float:
    """Where a window of `shown` source pixels begins, so that little of it lies outside."""
    slack = source - shown
    if slack >= 0:
        return float(np.clip(start, 0, slack))
    return float(rng.uniform(slack, 0))
