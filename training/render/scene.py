"""Composing pictures to learn from: parcels, held cards, plates on cars, and look-alikes."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from edge_agent.boxes import LABELS, FloatArray, IntArray
from training.render import holders, parcels, paste, photo_labels
from training.render.bank import Bank, Banks
from training.render.patch import Image8
from training.render.words import Rng, chance

KINDS = {
    "plates": LABELS.index("license_plate"),
    "cards": LABELS.index("id_card"),
    "labels": LABELS.index("shipping_label"),
}
VISIBLE_ENOUGH = 0.3
REAL = ("photograph", "real")  # layout and trait of what was there before
SMALLEST = 3.5  # px, the shorter side


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One object in the picture.

    box: (4,) float32 corners, cut at the picture's edge; layout, trait: the patch's."""

    box: FloatArray
    label: int
    layout: str
    trait: str


@dataclass(slots=True, eq=False)
class Scene:
    """A picture in the making; `taken` keeps objects from covering each other."""

    rng: Rng
    picture: Image8
    banks: Banks
    items: list[Item] = field(default_factory=list)
    taken: list[FloatArray] = field(default_factory=list)

    def free(self, box: FloatArray) -> bool:
        """Whether nothing else stands in `box`; reserves it if so."""
        for other in self.taken:
            if (np.minimum(box[2:], other[2:]) > np.maximum(box[:2], other[:2])).all():
                return False
        self.taken.append(box)
        return True

    def add(self, bank: Bank, index: int, kind: str, box: FloatArray) -> None:
        if min(box[2] - box[0], box[3] - box[1]) >= SMALLEST:
            known = (str(bank.layout[index]), str(bank.trait[index])) if index >= 0 else REAL
            self.items.append(Item(box, KINDS[kind], *known))

    def others(self) -> list[FloatArray]:
        """What the newest object's surroundings must not cover."""
        return self.taken[:-1]

    def spot(self, size: float) -> tuple[float, float]:
        """A centre for an object of `size` px: mostly inside, sometimes cut by the edge."""
        high, wide = self.picture.shape[:2]
        reach = size * (0.5 if chance(self.rng, 0.85) else 0.1)
        x = self.rng.uniform(min(reach, wide / 2), max(wide - reach, wide / 2))
        return x, self.rng.uniform(min(reach, high / 2), max(high - reach, high / 2))


def draw_size(rng: Rng, low: float, high: float) -> float:
    """Log-uniform, px."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def compose(rng: Rng, background: Image8, banks: Banks) -> tuple[Image8, FloatArray, IntArray]:
    """Draw objects of all kinds onto a copy of `background`, (H, W, 3) uint8 RGB.

    Returns the picture, boxes (N, 4) float32 corners in its pixels, labels (N,) int32.
    """
    scene = build(rng, background, banks)
    boxes = np.array([item.box for item in scene.items], np.float32).reshape(-1, 4)
    return scene.picture, boxes, np.array([item.label for item in scene.items], np.int32)


def build(rng: Rng, background: Image8, banks: Banks) -> Scene:
    """`compose`, with what is known of every object."""
    scene = Scene(rng, background.copy(), banks)
    theme = rng.random()
    if theme < 0.18 and len(banks.parcels):
        _real_parcels(scene)
    elif theme < 0.36:
        _parcels(scene)
    elif theme < 0.42:
        _loose(scene, banks.labels, "labels", int(rng.integers(1, 4)))
    elif theme < 0.75:
        _cards(scene, int(rng.integers(1, 4)))
    elif theme < 0.92:
        _plates(scene, int(rng.integers(1, 4)))
    else:
        for bank, kind in (
            (banks.labels, "labels"),
            (banks.cards, "cards"),
            (banks.plates, "plates"),
        ):
            _loose(scene, bank, kind, int(rng.integers(0, 3)))
    for _ in range(int(rng.integers(1, 5)) if chance(rng, 0.6) else 0):
        _negative(scene)
    scene.picture = paste.finish_light(rng, scene.picture)
    return scene


def _real_parcels(scene: Scene) -> None:
    """Labels on photographed parcels, instead of the background."""
    rng, bank = scene.rng, scene.banks.parcels
    index, labels, ground = bank.pick(rng), scene.banks.labels, scene.picture
    scene.picture, placed, quads = photo_labels.view_of(rng, bank, index, labels, ground)
    for row, box in placed:
        scene.add(labels, row, "labels", box)
    scene.taken += [np.concatenate([q.min(0), q.max(0)]) for q in quads]


def _parcels(scene: Scene) -> None:
    rng = scene.rng
    high, wide = scene.picture.shape[:2]
    for _ in range(int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15]))):
        size = draw_size(rng, 55, 1.1 * high)
        x, y = scene.spot(size * 0.8)
        reach = size * 0.75
        if not scene.free(np.array([x - reach, y - reach, x + reach, y + reach], np.float32)):
            continue
        for placed in parcels.draw(rng, scene.picture, scene.banks, (x, y), size):
            hull = np.asarray(cv2.convexHull(placed.points), np.float32)[:, 0]
            share, box = paste.visible(hull, wide, high)
            if share >= VISIBLE_ENOUGH:
                scene.add(scene.banks.labels, placed.index, placed.kind, box)


def _place(
    scene: Scene, bank: Bank, index: int, size: float, tilt: float, roll: float
) -> tuple[paste.FloatArray, FloatArray] | None:
    """A free quad for patch `index` whose short side is `size` px, and the box seen of it."""
    ratio = float(bank.width[index] / bank.height[index])
    high, wide = scene.picture.shape[:2]
    for _ in range(4):
        quad = paste.pose(scene.rng, ratio, size, tilt, roll)
        centre = scene.spot(float(np.ptp(quad, axis=0).max()))
        quad = quad + np.array(centre, np.float32)
        share, box = paste.visible(quad, wide, high)
        margin = np.array([-1, -1, 1, 1], np.float32) * size * 0.15
        if share >= VISIBLE_ENOUGH and scene.free(box + margin):
            return quad, box
    return None


def _under(scene: Scene, box: FloatArray) -> Image8:
    x0, y0, x1, y1 = (int(v) for v in box)
    return scene.picture[y0 : y1 + 1, x0 : x1 + 1]


def _patch(scene: Scene, bank: Bank, index: int) -> Image8:
    """The patch, sometimes mirrored as a selfie camera shows it."""
    patch = bank.patch(index)
    return np.ascontiguousarray(patch[:, ::-1]) if chance(scene.rng, 0.05) else patch


def _loose(scene: Scene, bank: Bank, kind: str, count: int) -> None:
    """Objects by themselves on the background."""
    rng = scene.rng
    for _ in range(count):
        index = bank.pick(rng)
        size = draw_size(rng, 13, 200) if kind != "plates" else draw_size(rng, 8, 110)
        roll = 12 if chance(rng, 0.6) else 90
        place = _place(scene, bank, index, size, 76 if kind == "labels" else 60, roll)
        if place is None:
            continue
        quad, box = place
        look = paste.random_look(
            rng, _under(scene, box), 0.2, 0.25 if kind == "labels" and size > 24 else 0.0
        )
        moved = paste.paste(rng, scene.picture, _patch(scene, bank, index), quad, look)
        scene.add(bank, index, kind, box if moved is None else moved)


def _cards(scene: Scene, count: int) -> None:
    """Cards in hands, wallets and holders, on lanyards, or lying about."""
    rng, bank = scene.rng, scene.banks.cards
    for _ in range(count):
        index = bank.pick(rng)
        size = draw_size(rng, 16, 0.85 * scene.picture.shape[0])
        place = _place(scene, bank, index, size, 62, 14 if chance(rng, 0.65) else 90)
        if place is None:
            continue
        quad, box = place
        held = rng.random()
        if held < 0.4:
            holders.behind(rng, scene.picture, quad, str(bank.layout[index]), scene.others())
        look = paste.random_look(rng, _under(scene, box), 0.3, 0.12 if size > 40 else 0.0)
        moved = paste.paste(rng, scene.picture, _patch(scene, bank, index), quad, look)
        if held > 0.45:
            holders.fingers(rng, scene.picture, scene.banks, quad, look.gain, scene.others())
        elif held < 0.12:
            holders.pocket(rng, scene.picture, quad)
        scene.add(bank, index, "cards", box if moved is None else moved)


def _plates(scene: Scene, count: int) -> None:
    """Plates on bumpers, or by themselves."""
    rng, bank = scene.rng, scene.banks.plates
    for _ in range(count):
        if chance(rng, 0.4):
            _loose(scene, bank, "plates", 1)
            continue
        index = bank.pick(rng)
        size = draw_size(rng, 8, 90)
        place = _place(scene, bank, index, size, 50, 7)
        if place is None:
            continue
        quad, box = place
        look = paste.random_look(rng, _under(scene, box), 0.12, 0.0)
        holders.bumper(rng, scene.picture, quad, scene.others())
        paste.paste(rng, scene.picture, _patch(scene, bank, index), quad, look)
        scene.add(bank, index, "plates", box)


def _negative(scene: Scene) -> None:
    rng, bank = scene.rng, scene.banks.negatives
    index = bank.pick(rng)
    place = _place(scene, bank, index, draw_size(rng, 8, 170), 60, 12 if chance(rng, 0.7) else 90)
    if place is None:
        return
    quad, box = place
    look = paste.random_look(rng, _under(scene, box), 0.2, 0.1)
    paste.paste(rng, scene.picture, _patch(scene, bank, index), quad, look)
    if chance(rng, 0.2):
        holders.fingers(rng, scene.picture, scene.banks, quad, look.gain, scene.others())
