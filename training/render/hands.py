"""Hands that hold things: shaded capsules with nails above a palm and a forearm."""

from __future__ import annotations

import cv2
import numpy as np

from training.render import ink, portraits
from training.render.patch import Patch
from training.render.words import Rng, chance, pick

SIZE, TALL = 256, 620


def _finger(
    rng: Rng, canvas: np.ndarray, base: np.ndarray, tip: np.ndarray, width: float, skin: np.ndarray
) -> None:
    """One finger from `base` to `tip` (px), drawn over `canvas` (RGBA float)."""
    bend = np.array([-(tip - base)[1], (tip - base)[0]]) * rng.normal(0, 0.08)
    t = np.linspace(0, 1, 40)[:, None]
    path = (1 - t) ** 2 * base + 2 * t * (1 - t) * ((base + tip) / 2 + bend) + t**2 * tip
    mask = np.zeros((TALL, SIZE), np.uint8)
    for (x, y), share in zip(path, t[:, 0], strict=True):
        cv2.circle(
            mask,
            (int(x * 4), int(y * 4)),
            int(width * (1 - 0.22 * share) * 2),
            255,
            -1,
            cv2.LINE_AA,
            2,
        )
    depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3) / (width / 2)
    round_shade = 0.62 + 0.42 * np.sqrt(np.clip(depth, 0, 1))
    colour = skin * round_shade[..., None]
    along = (path[-1] - path[-8]) / (np.linalg.norm(path[-1] - path[-8]) + 1e-6)
    if chance(rng, 0.6):
        centre = path[-1] - along * width * 0.12
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        nail = np.zeros_like(mask)
        cv2.ellipse(
            nail,
            (int(centre[0]), int(centre[1])),
            (int(width * 0.3), int(width * 0.24)),
            angle,
            0,
            360,
            255,
            -1,
            cv2.LINE_AA,
        )
        tone = np.array(
            pick(rng, ((1.12, 1.02, 1.0), (1.2, 1.15, 1.12), (0.9, 0.5, 0.55))), np.float32
        )
        colour = np.where(nail[..., None] > 127, skin * tone, colour)
    for share in (0.45, 0.72):
        spot = path[int(share * 39)]
        side = np.array([-along[1], along[0]]) * width * 0.4
        a, b = (spot - side).astype(int), (spot + side).astype(int)
        cv2.line(
            colour,
            tuple(int(v) for v in a),
            tuple(int(v) for v in b),
            tuple((skin * 0.78).tolist()),
            1,
            cv2.LINE_AA,
        )
    alpha = mask[..., None] / np.float32(255)
    canvas[..., :3] += (colour - canvas[..., :3]) * alpha
    canvas[..., 3:] = np.maximum(canvas[..., 3:], alpha * 255)


def _limb(rng: Rng, canvas: np.ndarray, skin: np.ndarray, palm: float) -> None:
    """A palm around row `palm` and the forearm below it, bare or in a sleeve."""
    mask = np.zeros(canvas.shape[:2], np.uint8)
    wide = int(rng.uniform(70, 112))
    centre = (int(SIZE / 2 + rng.normal(0, 8)), int(palm))
    cv2.ellipse(mask, centre, (wide, int(rng.uniform(70, 110))), 0, 0, 360, 255, -1, cv2.LINE_AA)
    wrist, foot = wide * rng.uniform(0.5, 0.75), SIZE / 2 + rng.normal(0, 45)
    arm = [
        (centre[0] - wrist, palm),
        (centre[0] + wrist, palm),
        (foot + wide * 0.8, TALL),
        (foot - wide * 0.8, TALL),
    ]
    cv2.fillConvexPoly(mask, np.array(arm, np.int32), 255, cv2.LINE_AA)
    shade = 0.8 + 0.1 * ink.soft_noise(rng, TALL, SIZE, 3).clip(-1.5, 1.5)
    depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
    shade *= 0.65 + 0.4 * np.sqrt(np.clip(depth / 60, 0, 1))
    tone = np.broadcast_to(skin, canvas[..., :3].shape).copy()
    if chance(rng, 0.6):
        cuff = int(palm + rng.uniform(60, 150))
        tone[cuff:] = np.array(ink.colour(rng, 10, 240))
    alpha = mask[..., None] / np.float32(255)
    canvas[..., :3] += (tone * shade[..., None] - canvas[..., :3]) * alpha
    canvas[..., 3:] = np.maximum(canvas[..., 3:], alpha * 255)


def paint(rng: Rng, split: str) -> Patch:
    """Draw a thumb or a row of fingers with palm and forearm; tips point upwards."""
    canvas = np.zeros((TALL, SIZE, 4), np.float32)
    skin = np.array(pick(rng, portraits.SKINS), np.float32) * rng.uniform(0.85, 1.08)
    canvas[..., :3] = skin * 0.7
    kind = pick(rng, ("thumb", "thumb", "fingers"))
    _limb(rng, canvas, skin, rng.uniform(250, 310))
    if kind == "thumb":
        base = np.array([SIZE / 2 + rng.normal(0, 35), 280.0])
        tip = np.array([rng.uniform(95, 160), rng.uniform(40, 80)])
        _finger(rng, canvas, base, tip, rng.uniform(58, 86), skin)
    else:
        count = int(rng.integers(2, 5))
        width = min(rng.uniform(48, 62), 230 / count)
        for i in range(count):
            x = SIZE / 2 + (i - (count - 1) / 2) * width * 0.95
            reach = 45 + 40 * abs(i - count / 2) * rng.uniform(0.3, 0.8)
            base, tip = np.array([x, 285.0]), np.array([x + rng.normal(0, 7), reach])
            _finger(rng, canvas, base, tip, width, skin)
    return Patch(canvas.clip(0, 255).astype(np.uint8), f"{kind}_{split}", kind)
