"""Shipping labels: courier waybills, thermal and pre-printed, in pouches, stickers, by hand."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.render import ink, layouts
from training.render.ink import Sheet
from training.render.label_writer import BLACK, Writer
from training.render.layouts import Plan
from training.render.patch import Image8, Patch
from training.render.words import Rng, chance, code, pick

LONG_SIDE = 352
FREE_WEIGHT = 14.0  # a quarter of all: what comes from a table is soon learnt by heart
JOINED_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Layout:
    """ratio: width over height; plan: how the sheet is divided; form: pre-printed in colour;
    scripts: whose words fill it."""

    ratio: float
    plan: Plan
    scripts: tuple[str, ...] = ("latin",)
    form: float = 0.1
    split: str = "train"


LAYOUTS = {
    name: Layout(**{**fields, "plan": layouts.parse_plan(fields["plan"])})
    for name, fields in layouts.read("labels").items()
}
BLOCKS_FREE = (
    "to",
    "from",
    "from_small",
    "lines",
    "barcode",
    "barcode",
    "bigcode",
    "square",
    "matrix_row",
    "table",
    "code",
    "blank",
    "brand",
    "bar",
    "hand",
    "maxi",
)


def _free_plan(rng: Rng, depth: int = 0) -> Plan | str:
    if depth > 2 or (depth > 0 and chance(rng, 0.35)):
        return pick(rng, BLOCKS_FREE)
    way = "v" if depth == 0 or chance(rng, 0.4) else "h"
    return (
        way,
        *(
            (rng.uniform(0.6, 2.5), _free_plan(rng, depth + 1))
            for _ in range(int(rng.integers(2, 6 - depth)))
        ),
    )


def _print(rng: Rng, split: str, layout: Layout) -> Image8:
    ratio = (layout.ratio if layout.plan else rng.uniform(0.5, 2)) * rng.uniform(0.85, 1.18)
    size = (720, int(720 / ratio)) if ratio > 1 else (int(720 * ratio), 720)
    coloured = chance(rng, layout.form)
    base = ink.paper(rng)
    if coloured and chance(rng, 0.2):
        base = pick(rng, ((255, 246, 214), (232, 242, 252), (252, 230, 226), (236, 250, 232)))
    elif chance(rng, 0.06):
        base = pick(rng, ((250, 236, 120), (215, 195, 160), (205, 215, 222)))
    sheet = Sheet(rng, *size, base, split)
    form = ink.vivid(rng, float(rng.uniform(0.4, 0.9))) if coloured else None
    script = (
        pick(rng, layout.scripts) if layout.plan else pick(rng, ("latin", "latin", "korean", "han"))
    )
    writer = Writer(sheet, script, form)
    if chance(rng, 0.1):  # faded thermal print
        grey = int(rng.integers(60, 150))
        writer.ink = (grey, grey, grey)
    if coloured and chance(rng, 0.3):
        sheet.rect(ink.part(sheet.box, 0, 0, 1, rng.uniform(0.05, 0.16)), form)
    margin = rng.uniform(0.01, 0.08)
    body = ink.inset(sheet.box, margin)
    if chance(rng, 0.12):  # printed on a part of the sheet alone
        body = ink.part(body, 0, 0, *rng.uniform(0.5, 1, 2))
    writer.fill(body, layout.plan or _free_plan(rng))
    if chance(rng, 0.08):  # struck out by hand
        for _ in range(3):
            y = rng.uniform(0.1, 0.9)
            sheet.scribble(
                ink.part(sheet.box, 0.1, y - 0.05, 0.9, y + 0.05),
                pick(rng, (BLACK, (220, 60, 20))),
                6,
                14,
            )
    if chance(rng, 0.1):  # a small bright sticker on top
        x, y = rng.uniform(0, 0.7, 2)
        spot = ink.part(sheet.box, x, y, x + 0.3, y + 0.16)
        sheet.rect(
            spot, pick(rng, ((250, 230, 30), (255, 120, 30), (120, 220, 80), (240, 60, 120)))
        )
        sheet.text(ink.inset(spot, 0.15), code(rng, "A 00.0"), writer.bold, BLACK)
    return sheet.pixels()


def _joined(rng: Rng, first: Image8, second: Image8) -> Image8:
    """A part of one print beside or above the rest of another: a layout that no table has."""
    high, wide = first.shape[:2]
    scale = max(high / second.shape[0], wide / second.shape[1])
    filling = cv2.resize(second, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    joined, share = first.copy(), rng.uniform(0.25, 0.75)
    rest = np.s_[int(share * high) :] if chance(rng, 0.6) else np.s_[:, int(share * wide) :]
    joined[rest] = cv2.resize(filling[:high, :wide], (wide, high))[rest]  # a rounded size may miss
    return joined


def _pouch(rng: Rng, pixels: Image8) -> Image8:
    """Put the sheet into a clear pouch: the pouch's rim is part of the object."""
    height, width = pixels.shape[:2]
    rims = (rng.uniform(0.02, 0.16, 4) * min(height, width)).astype(int)
    tone = pick(rng, ((215, 215, 215), (235, 235, 235), (200, 205, 210)))
    top, bottom, left, right = (int(r) for r in rims)
    out = cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=tone)
    alpha = np.full(out.shape[:2], int(rng.integers(70, 170)), np.uint8)
    alpha[top : top + height, left : left + width] = 255
    if chance(rng, 0.4):  # a printed header on the pouch
        band = max(top, 8)
        out[:band] = pick(rng, ((240, 120, 20), (200, 30, 40), (30, 30, 30), (20, 80, 170)))
        alpha[:band] = 240
    sheen = ink.soft_noise(rng, out.shape[0], out.shape[1], int(rng.integers(3, 9)))
    gain = np.clip(sheen - rng.uniform(0.4, 1.4), 0, 1)[..., None] * rng.uniform(0.3, 1)
    out = (out + (255 - out.astype(np.float32)) * gain).astype(np.uint8)
    alpha = np.maximum(alpha, (gain[..., 0] * 230).astype(np.uint8))
    return np.dstack([out, alpha])


def paint(rng: Rng, split: str) -> Patch:
    """Draw one label of a layout that belongs to `split`."""
    names = [n for n, layout in LAYOUTS.items() if layout.split == split]
    common = ("thermal", "sticker", "fulfil", "sheet", "kr")
    weights = np.array([FREE_WEIGHT if n == "free" else 1.0 + n.startswith(common) for n in names])
    weights /= weights.sum()
    name = names[int(rng.choice(len(names), p=weights))]
    pixels = _print(rng, split, LAYOUTS[name])
    if split == "train" and chance(rng, JOINED_SHARE):
        pixels = _joined(rng, pixels, _print(rng, split, LAYOUTS[pick(rng, names)]))
    trait = "plain"
    if not name.startswith("sticker") and chance(rng, 0.2):
        pixels, trait = _pouch(rng, pixels), "pouch"
    radius = rng.uniform(0.02, 0.1) if chance(rng, 0.45) else 0.0
    patch = ink.finish(pixels, LONG_SIDE, radius)
    return Patch(ink.wear(rng, patch, rng.uniform(0.2, 1.5)), name, trait)
