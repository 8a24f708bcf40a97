"""Bright things without print, which labels could be taken for: blobs, panels, house fronts."""

from __future__ import annotations

import cv2
import numpy as np

from training.render import ink
from training.render.patch import Image8
from training.render.words import Rng, chance, pick

SIZE = 200


def _light(rng: Rng) -> ink.Colour:
    """White, or nearly so, more often than another bright colour."""
    return ink.paper(rng) if chance(rng, 0.65) else ink.colour(rng, 120, 255)


def _filled(rng: Rng, mask: Image8) -> Image8:
    """`mask` in a light colour, shaded as cloth, stone or a lamp would be."""
    base = np.empty((*mask.shape, 3), np.float32)
    base[:] = _light(rng)
    high, wide = mask.shape
    shade = 1 + rng.uniform(0.02, 0.25) * ink.soft_noise(rng, high, wide, int(rng.integers(2, 14)))
    top, bottom = rng.uniform(0.7, 1.15, 2)
    ramp = np.linspace(top, bottom, high, dtype=np.float32)
    base *= shade[..., None] * ramp[:, None, None]
    return np.dstack([base.clip(0, 255).astype(np.uint8), mask])


def blob(rng: Rng) -> Image8:
    """A shape without corners: petals, feathers, cloth, foam, gaps between leaves."""
    reach = np.hypot(*np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]).astype(np.float32)
    noise = ink.soft_noise(rng, SIZE, SIZE, int(rng.integers(3, 9)))
    field = 0.75 - reach + rng.uniform(0.08, 0.35) * noise
    edge = rng.uniform(3, 40)  # from soft to sharp
    mask = (np.clip(field * edge, 0, 1) * 255).astype(np.uint8)
    high = int(SIZE * rng.uniform(0.3, 1))
    return _filled(rng, cv2.resize(mask, (SIZE, high), interpolation=cv2.INTER_AREA))


def polygon(rng: Rng) -> Image8:
    """Lamps, sails, signs seen from behind: three to seven corners, or round."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    corners = int(rng.choice([0, 3, 5, 6, 7]))
    if corners == 0:
        axes = (SIZE // 2 - 4, int(SIZE * rng.uniform(0.2, 0.48)))
        cv2.ellipse(mask, (SIZE // 2, SIZE // 2), axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        ring = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.6, 1, (corners, 1))
        cv2.fillPoly(mask, [((ring * 0.48 + 0.5) * SIZE).astype(np.int32)], 255, cv2.LINE_AA)
    return _filled(rng, mask)


def stripes(rng: Rng) -> Image8:
    """Shutters, barriers, grilles, steps, rows of windows or keys."""
    high, wide = int(SIZE * rng.uniform(0.25, 1)), SIZE
    base = np.empty((high, wide, 3), np.float32)
    base[:] = ink.colour(rng, 20, 255)
    other = np.array(_light(rng) if chance(rng, 0.5) else ink.colour(rng), np.float32)
    slant, count = rng.uniform(-1, 1) * chance(rng, 0.4), rng.uniform(2, 9)
    yy, xx = np.mgrid[:high, :wide]
    base[np.sin((xx + slant * yy) / wide * count * 2 * np.pi) > rng.uniform(-0.6, 0.6)] = other
    if chance(rng, 0.4):
        base[np.sin(yy / wide * count * 2 * np.pi) > rng.uniform(0, 0.8)] *= rng.uniform(0.3, 0.8)
    return base.clip(0, 255).astype(np.uint8)


def panel(rng: Rng) -> Image8:
    """A plain bright panel with a rim, a seam or a switch: windows, tiles, fridges, sockets."""
    high = int(SIZE * rng.uniform(0.4, 1))
    pixels = _filled(rng, np.full((high, SIZE), 255, np.uint8))
    rim = tuple(int(v) for v in rng.integers(20, 230, 3))
    if chance(rng, 0.5):
        cv2.rectangle(pixels, (0, 0), (SIZE - 1, high - 1), (*rim, 255), int(rng.integers(4, 16)))
    for _ in range(int(rng.integers(0, 3))):
        x, y = int(rng.integers(SIZE)), int(rng.integers(high))
        end = pick(rng, ((x, high), (SIZE, y), (x + 20, y + 12)))
        cv2.line(pixels, (x, y), end, (*rim, 255), int(rng.integers(2, 8)))
    return pixels


def facade(rng: Rng) -> Image8:
    """The front of a house: windows, lit and dark, with frames, bars, blinds and doors."""
    wide, high = 420, int(rng.integers(180, 460))
    sheet = ink.Sheet(rng, wide, high, ink.colour(rng, 20, 230), "train")
    rows, columns = int(rng.integers(2, 6)), int(rng.integers(2, 9))
    gap_x, gap_y = rng.uniform(0.08, 0.3, 2)
    frame = ink.paper(rng) if chance(rng, 0.5) else ink.colour(rng, 20, 160)
    lit = _light(rng) if chance(rng, 0.5) else ink.colour(rng, 170, 255)
    dark, share = ink.colour(rng, 10, 110), rng.uniform(0.1, 0.9)
    bars, rim = int(rng.integers(0, 3)), int(rng.integers(0, 5))
    for row in range(rows):
        for column in range(columns):
            cell = ink.part(
                sheet.box, column / columns, row / rows, (column + 1) / columns, (row + 1) / rows
            )
            box = ink.part(cell, gap_x, gap_y, 1 - gap_x, 1.0 if row == rows - 1 else 1 - gap_y)
            if row == rows - 1 and chance(rng, 0.4):  # a door
                box = ink.part(cell, 0.3, gap_y, 0.7, 1)
            sheet.rect(box, lit if chance(rng, share) else dark, frame if rim else None, rim)
            if chance(rng, 0.25):  # a blind, half drawn
                sheet.rect(ink.part(box, 0, 0, 1, rng.uniform(0.2, 0.8)), ink.paper(rng))
            for bar in range(bars):
                x = (bar + 1) / (bars + 1)
                sheet.rect(ink.part(box, x - 0.03, 0, x + 0.03, 1), frame)
                sheet.rect(ink.part(box, 0, x - 0.02, 1, x + 0.02), frame)
    return sheet.pixels()
