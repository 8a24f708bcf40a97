"""Swapping a rendered plate onto the plate of a real picture, in its light and sharpness."""

from __future__ import annotations

import cv2
import numpy as np

from training.render import paste
from training.render.bank import Banks
from training.render.paste import FloatArray, Look
from training.render.patch import Image8
from training.render.words import Rng

CANDIDATES = 16
GROW = 0.04


def swap_plate(
    rng: Rng, picture: Image8, box: FloatArray, banks: Banks
) -> tuple[Image8, FloatArray]:
    """Cover the plate in `box` (4,), corners in px of `picture`, by a rendered one of like shape.

    Returns a new picture, (H, W, 3) uint8 RGB, and the new plate's box cut at the picture's edge.
    The light is the old plate's: its dark and bright tenths; so is the sharpness, about.
    """
    high, wide = picture.shape[:2]
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h = x1 - x0, y1 - y0
    left, top = max(int(x0), 0), max(int(y0), 0)
    old = picture[top : int(y1) + 1, left : int(x1) + 1]
    if min(w, h) < 3 or old.size == 0:
        return picture.copy(), np.asarray(box, np.float32)
    rows = rng.integers(0, len(banks.plates), CANDIDATES)
    shapes = np.abs(np.log(banks.plates.width[rows] / banks.plates.height[rows] * h / w))
    patch = banks.plates.patch(int(rows[int(np.argmin(shapes))]))
    lean = rng.normal(0, 0.015, (4, 2)) * [w, h]
    grow = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [w * GROW / 2, h * GROW]
    quad = (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) + grow + lean).astype(np.float32)
    low, top_tone = np.percentile(old.mean(2), (10, 90))
    new_low, new_top = np.percentile(patch[..., :3].mean(2)[patch[..., 3] > 128], (10, 90))
    gain = (top_tone - low + 8) / max(new_top - new_low, 60)
    offset = low - new_low * gain
    tint = old.reshape(-1, 3).mean(0) + 20
    tint = (tint / tint.mean()) ** 0.5
    lit = patch.copy()
    lit[..., :3] = np.clip((patch[..., :3] * gain + offset) * tint, 0, 255)
    out = picture.copy()
    paste.paste(rng, out, lit, quad, Look(blur=_softness(old, rng)))
    _, seen = paste.visible(quad, wide, high)
    return out, seen


def _softness(old: Image8, rng: Rng) -> float:
    """Blur in px that gives a drawn plate about the sharpness of the real one `old`."""
    grey = cv2.cvtColor(old, cv2.COLOR_RGB2GRAY)
    edge = float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean()) / (float(grey.std()) + 4)
    return float(np.clip(0.75 / (edge + 0.15) - 0.45, 0.0, 3.0) * rng.uniform(0.7, 1.2))
