"""Identity cards, licences, passport pages, student and staff cards of invented people."""

from __future__ import annotations

import numpy as np

from training.render import ink, layouts, security
from training.render.card_writer import CARD, NO_BOX, Layout, Writer
from training.render.ink import Box, Sheet
from training.render.patch import Image8, Patch
from training.render.words import Rng, chance, pick

LONG_SIDE = 352
LAYOUTS = {name: Layout(**fields) for name, fields in layouts.read("cards").items()}


KINDS = (
    "wave",
    "hill",
    "ghost",
    "chip",
    "seal",
    "foil",
    "sign",
    "flag",
    "barcode",
    "square",
    "bignumber",
    "mark",
    "stampline",
)
WIDE = {"barcode": 3.0, "bignumber": 6.0, "stampline": 5.0, "sign": 2.5}  # width over height


def _free(rng: Rng) -> Layout:
    """A card that no country issues: everything somewhere."""
    upright = chance(rng, 0.4)
    ratio = (1 / CARD if upright else CARD) * rng.uniform(0.9, 1.1)
    if upright:
        wide, high = rng.uniform(0.25, 0.7), rng.uniform(0.22, 0.45)
    else:
        wide, high = rng.uniform(0.18, 0.38), rng.uniform(0.4, 0.75)
    left, top = rng.uniform(0.04, 0.96 - wide), rng.uniform(0.05, 0.95 - high)
    face = (left, top, left + wide, top + high)
    extras: list[tuple[str, Box]] = []
    if chance(rng, 0.5):  # a coloured head, thin or thick
        extras.append(("bar", (0, 0, 1, rng.uniform(0.08, 0.38))))
    if chance(rng, 0.25):
        extras.append(("bar", (0, rng.uniform(0.75, 0.95), 1, 1)))
    for _ in range(int(rng.integers(1, 6))):
        kind = pick(rng, KINDS)
        extras.append((kind, (0, 0, 1, 1) if kind in ("wave", "hill") else _spot(rng, kind, ratio)))
    if chance(rng, 0.2):
        extras.append((pick(rng, ("mrz2", "mrz3")), (0.03, rng.uniform(0.74, 0.84), 0.97, 0.97)))
    if chance(rng, 0.12):
        extras.append(("slot", (0.38, 0.015, 0.62, 0.05)))
    line = rng.uniform(0.02, 0.2) if chance(rng, 0.7) else rng.uniform(0.2, 0.85)
    head = (0.04, line, 0.96, line + rng.uniform(0.06, 0.13))
    return Layout(
        face,
        head=head,
        fields=_room_beside(rng, face),
        extras=tuple(extras),
        grounds=(ink.colour(rng, 205 if chance(rng, 0.5) else 110, 252),),
        ratio=ratio,
        rows=int(rng.integers(2, 9)),
    )


def _spot(rng: Rng, kind: str, ratio: float) -> Box:
    """A place of a fitting shape for an extra, anywhere on a card of `ratio`."""
    high = rng.uniform(0.06, 0.16) if kind in WIDE else rng.uniform(0.12, 0.36)
    high *= min(ratio, 1.0)
    wide = min(high * WIDE.get(kind, 1.0) / ratio, 0.9)
    x, y = rng.uniform(0.03, 0.97 - wide), rng.uniform(0.03, 0.97 - high)
    return (x, y, x + wide, y + high)


def _room_beside(rng: Rng, face: Box) -> Box:
    """The largest free part of a card around its portrait, a little less of it."""
    left, top, right, bottom = face
    rooms = (
        (right + 0.04, 0.2, 0.96, 0.9),
        (0.05, 0.2, left - 0.03, 0.9),
        (0.08, bottom + 0.03, 0.92, 0.96),
        (0.08, 0.06, 0.92, top - 0.03),
    )
    x0, y0, x1, y1 = max(rooms, key=lambda r: max(r[2] - r[0], 0) * max(r[3] - r[1], 0))
    return (x0, y0 + (y1 - y0) * rng.uniform(0, 0.25), x1, y1 - (y1 - y0) * rng.uniform(0, 0.25))


def _jitter(rng: Rng, box: Box, size: float) -> Box:
    dx, dy = rng.normal(0, size, 2)
    return (max(box[0] + dx, 0), max(box[1] + dy, 0), min(box[2] + dx, 1), min(box[3] + dy, 1))


def _draw(rng: Rng, split: str, name: str, look: str) -> Image8:
    layout = _free(rng) if name == "free" else LAYOUTS[name]
    script = (
        pick(rng, layout.scripts)
        if name != "free"
        else pick(rng, ("latin", "latin", "korean", "han", "arabic", "cyrillic"))
    )
    size = (720, int(720 / layout.ratio)) if layout.ratio > 1 else (int(720 * layout.ratio), 720)
    ground = pick(rng, layout.grounds) if chance(rng, 0.8) else ink.colour(rng, 90, 250)
    sheet = Sheet(rng, *size, ground, split)
    other = np.clip(np.array(ground) + rng.normal(0, 28, 3), 60, 255)
    if chance(rng, 0.6):
        sheet.paste(sheet.box, security.ground(rng, size[1], size[0], ground))
    else:
        ramp = np.linspace(0, 1, 32)[None, :, None] * (1, 0)[int(chance(rng, 0.3))]
        sheet.paste(sheet.box, (np.array(ground) * (1 - ramp) + other * ramp).astype(np.uint8))
    writer = Writer(sheet, layout, script, ground)
    behind = ("wave", "hill", "bar", "block", "page", "foil", "tricolour")
    extras = [
        e for e in layout.extras if e[0] in ("wave", "bar", "block", "page") or chance(rng, 0.8)
    ]
    for kind, box in sorted(extras, key=lambda e: behind.index(e[0]) if e[0] in behind else 9):
        if kind in behind:
            writer.extra(kind, box)
    if layout.head != NO_BOX and chance(rng, 0.93):
        writer.head(
            writer.at(layout.head),
            any(e[0] in ("bar", "block") and e[1][1] == 0 for e in layout.extras),
        )
    writer.fields(writer.at(layout.fields))
    for kind, box in extras:
        if kind not in behind:
            writer.extra(kind, _jitter(rng, box, 0.008) if box != NO_BOX else box)
    if layout.face != NO_BOX and look != "absent":
        writer.portrait(writer.at(_jitter(rng, layout.face, 0.015)), look)
    if chance(rng, 0.06):
        writer.overprint()
    if chance(rng, 0.15):  # faint foil over everything
        writer.extra("foil", (0.1, 0.1, 0.9, 0.9))
    return sheet.pixels()


def paint(rng: Rng, split: str) -> Patch:
    """Draw one card of a layout that belongs to `split`; its trait tells the portrait's state."""
    names = [n for n, layout in LAYOUTS.items() if layout.split == split]
    weights = np.array([LAYOUTS[n].weight for n in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if LAYOUTS[name].face == NO_BOX and name != "free":
        look, trait = "absent", "back"
    else:
        look = trait = str(
            rng.choice(["normal", "dim", "odd", "absent"], p=[0.66, 0.18, 0.08, 0.08])
        )
    pixels = _draw(rng, split, name, look)
    if chance(rng, 0.2):  # dull, washed out or dark print
        pixels = np.clip(
            (pixels.astype(np.float32) - 128) * rng.uniform(0.45, 0.9) + rng.uniform(90, 165),
            0,
            255,
        ).astype(np.uint8)
    radius = rng.uniform(0.04, 0.09) if "pass" not in name else rng.uniform(0, 0.04)
    patch = ink.finish(pixels, LONG_SIDE, float(radius))
    return Patch(ink.wear(rng, patch, rng.uniform(0.1, 0.7)), name, trait)
