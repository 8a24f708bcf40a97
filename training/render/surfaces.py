"""Faces of parcels to stick labels on: cardboard and bags with tape, prints and codes."""

from __future__ import annotations

import cv2
import numpy as np

from training.render import ink, prints
from training.render.ink import Colour
from training.render.patch import Image8, Patch
from training.render.words import Rng, chance, pick

SIZE = 320
KRAFT: tuple[Colour, ...] = (
    (196, 156, 110),
    (184, 142, 98),
    (206, 170, 126),
    (170, 128, 86),
    (214, 182, 140),
    (150, 112, 74),
)
OTHER: tuple[Colour, ...] = (
    (238, 238, 236),
    (226, 226, 222),
    (60, 110, 190),
    (40, 60, 120),
    (235, 190, 40),
    (90, 170, 90),
    (60, 60, 64),
    (220, 120, 150),
    (150, 150, 152),
)
BAGS: tuple[Colour, ...] = (
    (232, 234, 236),
    (245, 245, 245),
    (200, 204, 206),
    (200, 164, 116),
    (110, 112, 116),
    (240, 170, 60),
    (120, 160, 210),
    (40, 40, 44),
    (228, 140, 170),
)


def _blend(base: np.ndarray, patch: Image8, x: int, y: int, opacity: float) -> None:
    """Paint `patch` (RGBA) into `base` (float RGB) at (x, y), cut at the edges."""
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + patch.shape[1], base.shape[1]), min(y + patch.shape[0], base.shape[0])
    if right <= left or bottom <= top:
        return
    piece = patch[top - y : bottom - y, left - x : right - x].astype(np.float32)
    alpha = piece[..., 3:] * (opacity / 255)
    spot = base[top:bottom, left:right]
    spot += (piece[..., :3] - spot) * alpha


def _prints(rng: Rng, base: np.ndarray, count: int) -> None:
    for _ in range(count):
        painter = pick(
            rng,
            (
                prints.words_only,
                prints.words_only,
                prints.code_print,
                prints.code_print,
                prints.care_sticker,
                prints.word_line,
            ),
        )
        patch = ink.finish(painter(rng), int(rng.uniform(0.08, 0.6) ** 1.5 * SIZE * 1.5) + 12)
        if chance(rng, 0.3):
            patch = np.ascontiguousarray(np.rot90(patch, int(rng.integers(1, 4))))
        x, y = (int(v) for v in rng.uniform(-0.05, 0.85, 2) * SIZE)
        _blend(base, patch, x, y, rng.uniform(0.6, 1))


def _tape(rng: Rng, base: np.ndarray) -> None:
    """A strip along the middle: clear, brown, or dark and printed."""
    wide = int(rng.uniform(0.08, 0.2) * SIZE)
    at = int(SIZE * rng.uniform(0.35, 0.65)) - wide // 2
    if chance(rng, 0.45):
        strip = cv2.resize(
            ink.finish(prints.tape(rng), SIZE), (SIZE, wide), interpolation=cv2.INTER_AREA
        )
        _blend(base, np.asarray(strip, np.uint8), 0, at, rng.uniform(0.85, 1))
    else:
        gain, tone = (
            rng.uniform(0.1, 0.5),
            np.array(pick(rng, ((214, 190, 150), (235, 230, 220), (150, 110, 60))), np.float32),
        )
        base[at : at + wide] += (tone - base[at : at + wide]) * gain
        base[[at, min(at + wide, SIZE - 1)]] *= 0.85
    base[at + wide // 2] *= 0.7 if chance(rng, 0.5) else 1


def cardboard(rng: Rng) -> Image8:
    tone = pick(rng, KRAFT) if chance(rng, 0.75) else pick(rng, OTHER)
    base = np.empty((SIZE, SIZE, 3), np.float32)
    base[:] = np.array(tone) + rng.normal(0, 10) + rng.normal(0, 3, 3)
    base *= (1 + 0.02 * np.sin(np.arange(SIZE) * rng.uniform(0.5, 1.4)))[None, :, None]
    base *= (1 + 0.025 * ink.soft_noise(rng, SIZE, SIZE, int(rng.integers(2, 30))))[..., None]
    base += rng.normal(0, 3, (SIZE, SIZE, 1))
    if chance(rng, 0.6):
        _prints(rng, base, int(rng.integers(1, 5)))
    if chance(rng, 0.6):
        _tape(rng, base)
    if chance(rng, 0.5):
        base = np.rot90(base)
    return np.clip(base, 0, 255).astype(np.uint8)


def bag(rng: Rng) -> Image8:
    """A soft mailer: wrinkles shade it, prints repeat over it."""
    base = np.empty((SIZE, SIZE, 3), np.float32)
    base[:] = np.array(pick(rng, BAGS)) + rng.normal(0, 6, 3)
    if chance(rng, 0.5):
        patch = ink.finish(prints.words_only(rng), int(rng.uniform(0.15, 0.4) * SIZE))
        for x in range(0, SIZE, int(patch.shape[1] * rng.uniform(1.2, 2))):
            for y in range(0, SIZE, int(patch.shape[0] * rng.uniform(1.5, 3)) + 8):
                _blend(base, patch, x + int(rng.normal(0, 8)), y, 0.9)
    else:
        _prints(rng, base, int(rng.integers(0, 4)))
    folds = ink.soft_noise(rng, SIZE, SIZE, int(rng.integers(4, 14)))
    folds += 0.6 * ink.soft_noise(rng, SIZE, SIZE, int(rng.integers(10, 40)))
    base *= (1 + rng.uniform(0.03, 0.12) * folds)[..., None]
    shine = np.clip(folds - rng.uniform(0.8, 1.8), 0, 1)[..., None] * rng.uniform(0, 0.8)
    return np.clip(base + (255 - base) * shine, 0, 255).astype(np.uint8)


def paint(rng: Rng, split: str) -> Patch:
    """Draw one square face; its trait is `box` or `bag`."""
    trait = "box" if chance(rng, 0.72) else "bag"
    pixels = np.ascontiguousarray(cardboard(rng) if trait == "box" else bag(rng))
    return Patch(ink.finish(pixels, SIZE), f"{trait}_{split}", trait)
