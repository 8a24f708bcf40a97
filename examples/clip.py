"""Renders scenes with a plate, a parcel's label and an ID card in motion, and their truth.

Everything in it is invented and drawn here or taken from the agent's own rendered self-test
pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import LABELS

Picture = NDArray[np.uint8]
Corners = NDArray[np.float32]

WIDTH, HEIGHT = 1280, 720
SCENE_SECONDS = 4.0
ASSETS = Path(__file__).parents[1] / "edge_agent" / "assets"
SPRITES = {label: ASSETS / f"{name}.png" for label, name in zip(
    LABELS, ("plate", "id_card", "shipping_label"), strict=True
)}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """One object on one frame: its class and its corners (4, 2), clockwise from top left."""

    label: str
    corners: Corners

    @property
    def box(self) -> tuple[float, float, float, float]:
        low, high = self.corners.min(axis=0), self.corners.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True)
class Scene:
    """A backdrop, and where its one object is at a time 0..1 of the scene (None: not there)."""

    label: str
    backdrop: Callable[[float], Picture]
    place: Callable[[float], Corners | None]


def frames(scenes: Sequence[Scene], fps: int) -> Iterator[tuple[Picture, list[Truth]]]:
    """Every picture of the scenes, (720, 1280, 3) uint8 RGB, with the objects that show on it."""
    sprites = {label: _read(path) for label, path in SPRITES.items()}
    for scene in scenes:
        count = int(SCENE_SECONDS * fps)
        for i in range(count):
            at = i / count
            picture = scene.backdrop(at)
            corners = scene.place(at)
            truth = []
            if corners is not None:
                _paste(picture, sprites[scene.label], corners)
                truth = [Truth(scene.label, corners)]
            yield picture, truth


def _read(path: Path) -> Picture:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, f"missing {path}"
    code = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _paste(picture: Picture, sprite: Picture, corners: Corners) -> None:
    """Warp an RGBA sprite onto the four corners, in place."""
    height, width = sprite.shape[:2]
    extent = float(np.ptp(corners[:, 0]))
    while width > 2.5 * max(extent, 8):
        half = cv2.resize(sprite, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        sprite = np.asarray(half, np.uint8)
        height, width = sprite.shape[:2]
    x1, y1 = np.clip(np.floor(corners.min(axis=0)) - 1, 0, (WIDTH, HEIGHT)).astype(int)
    x2, y2 = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, (WIDTH, HEIGHT)).astype(int)
    if x2 <= x1 or y2 <= y1:
        return
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, corners - np.array([x1, y1], np.float32))
    size = (int(x2 - x1), int(y2 - y1))
    warped = cv2.warpPerspective(sprite, matrix, size, flags=cv2.INTER_LINEAR)
    alpha = warped[..., 3:].astype(np.float32) / 255
    part = picture[y1:y2, x1:x2]
    part[:] = (part * (1 - alpha) + warped[..., :3] * alpha).astype(np.uint8)


def _quad(
    centre: tuple[float, float],
    width: float,
    ratio: float,
    *,
    tilt: float = 0.0,
    depth: float = 0.0,
) -> Corners:
    """A rectangle `width` wide and `width / ratio` high, turned by `tilt` radians; `depth` narrows
    its far (right) side, as perspective does."""
    w, h = width / 2, width / ratio / 2
    corners = np.array(
        [[-w, -h], [w * (1 - depth), -h * (1 - depth)], [w * (1 - depth), h * (1 - depth)], [-w, h]]
    )
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    return np.asarray(corners @ turn + np.array(centre), np.float32)


def _texture(seed: int, cell: int, tone: tuple[int, int, int], spread: int) -> Picture:
    """A still, soft texture around a tone, as large as a picture and a half."""
    random = np.random.default_rng(seed)
    shape = (HEIGHT // cell, WIDTH * 3 // 2 // cell, 1)
    light, tint = random.normal(0, spread, shape), random.normal(0, 4, (*shape[:2], 3))
    picture = np.clip(np.asarray(tone) + light + tint, 0, 255).astype(np.uint8)
    size = (WIDTH * 3 // 2, HEIGHT)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _houses(seed: int) -> Picture:
    """A row of house fronts with windows under a sky."""
    random = np.random.default_rng(seed)
    picture = _texture(seed, 60, (150, 190, 225), 6)
    x = 0
    while x < picture.shape[1]:
        width, top = int(random.integers(90, 220)), int(random.integers(90, 260))
        front = tuple(int(c) for c in random.integers(90, 200, 3))
        cv2.rectangle(picture, (x, top), (x + width, HEIGHT), front, -1)
        for wx in range(x + 14, x + width - 24, 38):
            for wy in range(top + 16, 410, 48):
                lit = (250, 230, 170) if random.random() < 0.3 else (60, 75, 90)
                cv2.rectangle(picture, (wx, wy), (wx + 18, wy + 26), lit, -1)
        x += width
    return picture


def _street(at: float) -> Picture:
    """Houses passing behind a road, and a car that comes nearer."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    shift = int(at * WIDTH / 3)
    picture[:] = STREET[:, shift : shift + WIDTH]
    picture[430:] = ROAD[430:, shift : shift + WIDTH]
    for i in range(-1, 8):
        dash = i * 240 - (shift * 2) % 240
        cv2.rectangle(picture, (dash, 540), (dash + 110, 552), (225, 220, 190), -1)
    x, y, size = _car(at)
    body = np.array(
        [[-1.0, 0.25], [-0.95, -0.3], [-0.6, -0.9], [0.6, -0.9], [0.95, -0.3], [1.0, 0.25]]
    )
    cv2.fillPoly(picture, [(body * size + (x, y)).astype(np.int32)], (150, 40, 45), cv2.LINE_AA)
    glass = np.array([[-0.7, -0.35], [-0.5, -0.8], [0.5, -0.8], [0.7, -0.35]])
    cv2.fillPoly(picture, [(glass * size + (x, y)).astype(np.int32)], (60, 80, 95), cv2.LINE_AA)
    for side in (-0.78, 0.78):
        lamp = (int(x + side * size), int(y - 0.12 * size))
        cv2.circle(picture, lamp, int(0.11 * size), (250, 235, 190), -1, cv2.LINE_AA)
        wheel = (int(x + side * size), int(y + 0.3 * size))
        cv2.ellipse(
            picture, wheel, (int(0.16 * size), int(0.24 * size)), 0, 0, 360, (25, 25, 28), -1
        )
    return picture


def _car(at: float) -> tuple[float, float, float]:
    return 120 + 950 * at, 470 + 90 * at, 90 + 210 * at


def _plate(at: float) -> Corners:
    x, y, size = _car(at)
    return _quad((x, y + 0.12 * size), 0.62 * size, 4.4)


def _desk(at: float) -> Picture:
    """A parcel that is lifted and turned on a table."""
    picture = DESK[:, :WIDTH].copy()
    cv2.circle(picture, (1050, 180), 90, (190, 200, 205), -1, cv2.LINE_AA)
    cv2.circle(picture, (1050, 180), int(60 + 8 * np.sin(at * 40)), (70, 45, 30), -1, cv2.LINE_AA)
    box = _quad(_parcel(at), 560, 1.35, tilt=0.25 * np.sin(at * 6), depth=0.06)
    cv2.fillConvexPoly(picture, box.astype(np.int32), (176, 134, 90), cv2.LINE_AA)
    tape = _quad(_parcel(at), 560, 9.0, tilt=0.25 * np.sin(at * 6), depth=0.06)
    cv2.fillConvexPoly(picture, tape.astype(np.int32), (196, 168, 120), cv2.LINE_AA)
    return picture


def _parcel(at: float) -> tuple[float, float]:
    return 520 + 120 * np.sin(at * 5), 430 - 120 * np.sin(at * np.pi)


def _label(at: float) -> Corners:
    x, y = _parcel(at)
    return _quad((x - 60, y - 30), 250, 1.3, tilt=0.25 * np.sin(at * 6), depth=0.06)


def _room(at: float) -> Picture:
    """A bright room with balls that bounce."""
    picture = ROOM[:, :WIDTH].copy()
    for i, colour in enumerate(((220, 90, 70), (70, 140, 220), (90, 180, 110), (230, 190, 70))):
        x = int((0.13 + 0.23 * i + 0.1 * at) * WIDTH)
        y = int(HEIGHT * 0.85 - abs(np.sin(at * 9 + i)) * 330)
        cv2.circle(picture, (x, y), 46, colour, -1, cv2.LINE_AA)
    return picture


def _card(at: float) -> Corners | None:
    """Flashes up at full size for half a second, then is carried through the picture."""
    if 0.2 <= at < 0.325:
        return _quad((700, 330), 330, 1.586, tilt=0.05)
    if at >= 0.5:
        return _quad((-150 + 2800 * (at - 0.5), 380 + 60 * np.sin(at * 12)), 260, 1.586, tilt=-0.1)
    return None


def _held_card(at: float) -> Corners | None:
    """Flashes up in the same way, then is shown around by a steadier hand."""
    if at < 0.5:
        return _card(at)
    return _quad((250 + 1300 * (at - 0.5), 380 + 60 * np.sin(at * 12)), 260, 1.586, tilt=-0.1)


STREET, ROAD = _houses(1), _texture(2, 6, (96, 96, 100), 8)
DESK, ROOM = _texture(3, 20, (132, 104, 80), 7), _texture(4, 120, (206, 208, 198), 12)
DRIVE = Scene("license_plate", _street, _plate)
PARCEL = Scene("shipping_label", _desk, _label)
CARD = Scene("id_card", _room, _card)
HELD_CARD = Scene("id_card", _room, _held_card)
