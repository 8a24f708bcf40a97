"""Rendered clips with plates, cards and labels in motion, and where they are on each frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import LABELS
from training.render.bank import Bank, Banks

WIDTH, HEIGHT, FPS, SECONDS = 1280, 720, 30, 6
INPUT_SHARE = 0.5  # of a frame's height: what the model's input shows it at
LEAST_HEIGHT = dict(zip(LABELS, (12, 30, 40), strict=True))  # at the input: what is promised
LARGEST = dict(zip(LABELS, (120, 330, 420), strict=True))  # px high in the frame

Picture = NDArray[np.uint8]
Corners = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """An object on one frame. corners: (N, 2) px, clockwise, inside the frame; legible: large and
    whole enough that it had to be hidden; behind: corners of what is in front of it."""

    frame: int
    track: str
    label: str
    corners: Corners
    legible: bool
    behind: tuple[Corners, ...] = ()

    def shows(self, height: int, width: int) -> Picture:
        """(height, width), 1 at its pixels that nothing is in front of."""
        mask = np.zeros((height, width), np.uint8)
        for value, corners in ((1, self.corners), *((0, other) for other in self.behind)):
            cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), value)
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """One object's way through a clip: `at(frame)` are its corners (4, 2), None when it is away."""

    label: str
    patch: Picture
    first: int
    last: int
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    heights: tuple[float, float]
    turn: tuple[float, float]
    sway: float
    depth: float

    def at(self, frame: int) -> Corners | None:
        if not self.first <= frame < self.last:
            return None
        share = (frame - self.first) / max(self.last - self.first, 1)
        high = self.heights[0] * (self.heights[1] / self.heights[0]) ** share
        wide = high * self.patch.shape[1] / self.patch.shape[0]
        centre = self.start * (1 - share) + self.end * share
        centre = centre + self.sway * np.array([np.sin(share * 17), np.cos(share * 13)])
        angle = self.turn[0] * (1 - share) + self.turn[1] * share
        near, far = 1.0, 1 - self.depth
        flat = np.array([[-1, -near], [1, -far], [1, far], [-1, near]]) * (wide / 2, high / 2)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return np.asarray(flat @ turn + centre, np.float32)


def write_clip(path: Path, banks: Banks, backdrops: list[Path], seed: int) -> list[Seen]:
    """Write one clip as H.264; the same seed, banks and backdrops give the same clip."""
    random = np.random.default_rng(seed)
    backdrop = _backdrop(random, backdrops)
    actors = [_actor(random, banks) for _ in range(int(random.integers(1, 4)))]
    pan, noise = random.uniform(-60, 60, 2), float(random.uniform(1, 6))
    seen = []
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", FPS, options={"preset": "veryfast", "crf": "20"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FPS * SECONDS):
            x, y = (80 + pan * index / (FPS * SECONDS)).astype(int)
            picture = backdrop[y : y + HEIGHT, x : x + WIDTH].copy()
            placed = [actor.at(index) for actor in actors]
            for number, (actor, corners) in enumerate(zip(actors, placed, strict=True)):
                if corners is not None:
                    _paste(picture, actor.patch, corners)
                    behind = tuple(front for front in placed[number + 1 :] if front is not None)
                    seen += _seen(index, str(number), actor.label, corners, behind)
            grain = random.normal(0, noise, (HEIGHT, WIDTH, 1))
            image = av.VideoFrame.from_ndarray(
                np.clip(picture + grain, 0, 255).astype(np.uint8), format="rgb24"
            )
            image.pts, image.time_base = index, Fraction(1, FPS)
            out.mux(video.encode(image))
        out.mux(video.encode(None))
    return seen


def _seen(
    frame: int, track: str, label: str, corners: Corners, behind: tuple[Corners, ...]
) -> list[Seen]:
    """The object as it shows: cut at the frame's edge, nothing if it is outside or covered."""
    edge = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    share, inside = cv2.intersectConvexConvex(corners, edge)
    whole = cv2.contourArea(corners)
    if inside is None or share < 16:
        return []
    high = min(
        float(np.linalg.norm(corners[0] - corners[3])),
        float(np.linalg.norm(corners[1] - corners[2])),
    )
    bare = Seen(frame, track, label, np.asarray(inside[:, 0], np.float32), legible=False)
    seen = replace(bare, behind=behind)
    left = float(seen.shows(HEIGHT, WIDTH).sum()) / max(float(bare.shows(HEIGHT, WIDTH).sum()), 1)
    if share * left < 16:
        return []
    legible = high * INPUT_SHARE >= LEAST_HEIGHT[label] and share * left >= 0.5 * whole
    return [replace(seen, legible=legible)]


def _actor(random: np.random.Generator, banks: Banks) -> Actor:
    """An object that is there all the time, flashes up, or comes in from a side."""
    which = int(random.integers(len(LABELS)))
    bank: Bank = (banks.plates, banks.cards, banks.labels)[which]
    label, frames = LABELS[which], FPS * SECONDS
    low, high = LEAST_HEIGHT[label] / INPUT_SHARE, LARGEST[label]
    sizes = np.exp(random.uniform(np.log(low), np.log(high), 2))
    start, end = random.uniform((0.15, 0.2), (0.85, 0.8), (2, 2)) * (WIDTH, HEIGHT)
    first, last = 0, frames
    way = random.random()
    if way < 0.35:
        first = int(random.integers(0, frames - 20))
        last = first + int(random.integers(8, 60))
    elif way < 0.7:
        start[0] = -200 if random.random() < 0.5 else WIDTH + 200
        first, last = int(random.integers(0, 40)), frames - int(random.integers(0, 90))
    return Actor(
        label, np.array(bank.patch(bank.pick(random))), first, last, start, end,
        (float(sizes[0]), float(np.clip(sizes[1], sizes[0] / 2, sizes[0] * 2))),
        (float(random.normal(0, 0.15)), float(random.normal(0, 0.15))),
        float(random.uniform(0, 15)), float(random.uniform(0, 0.12)),
    )  # fmt: skip


def _backdrop(random: np.random.Generator, files: list[Path]) -> Picture:
    """A picture larger than a frame by 160 px each way: a photograph, or soft blobs without any."""
    size = (WIDTH + 160, HEIGHT + 160)
    picture = None
    if files:
        picture = cv2.imread(str(files[int(random.integers(len(files)))]), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        blobs = random.uniform(
            30, 220, (int(random.integers(4, 24)), int(random.integers(6, 40)), 3)
        )
        picture = blobs.astype(np.uint8)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _paste(picture: Picture, patch: Picture, corners: Corners) -> None:
    """Warp an RGBA patch onto four corners, in place."""
    extent = max(float(np.ptp(corners[:, 0])), 8.0)
    while patch.shape[1] > 2.5 * extent:
        half = cv2.resize(patch, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        patch = np.asarray(half, np.uint8)
    high, wide = patch.shape[:2]
    flat = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    x1, y1 = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
    x2, y2 = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, (WIDTH, HEIGHT))
    if x2 <= x1 or y2 <= y1:
        return
    matrix = cv2.getPerspectiveTransform(flat, corners - np.array([x1, y1], np.float32))
    warped = cv2.warpPerspective(patch, matrix, (int(x2 - x1), int(y2 - y1)))
    alpha = warped[..., 3:].astype(np.float32) / 255
    part = picture[y1:y2, x1:x2]
    part[:] = (part * (1 - alpha) + warped[..., :3] * alpha).astype(np.uint8)
