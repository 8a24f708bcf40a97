"""Grounds of identity cards: rainbow prints, nets of fine lines, rosettes, faint artwork."""

from __future__ import annotations

import numpy as np

from training.render import ink
from training.render.ink import Colour
from training.render.patch import Image8
from training.render.words import Rng, chance


def ground(rng: Rng, height: int, width: int, base: Colour) -> Image8:
    """A printed ground (height, width, 3) around the colour `base`."""
    yy, xx = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    pixels = _rainbow(rng, xx, yy, base)
    if chance(rng, 0.45):  # artwork in a tone of its own
        shape = np.clip(ink.soft_noise(rng, height, width, int(rng.integers(3, 12))), 0, 1)
        tone = np.array(ink.colour(rng, 60, 240), np.float32)
        pixels += (tone - pixels) * (shape * rng.uniform(0.1, 0.6))[..., None]
    for _ in range(int(rng.integers(1, 4))):
        net = _net(rng, xx, yy) if chance(rng, 0.7) else _rosette(rng, xx, yy)
        tone = pixels * np.float32(rng.uniform(0.5, 0.9))
        if chance(rng, 0.4):
            tone = np.array(ink.vivid(rng, 0.6), np.float32)
        pixels += (tone - pixels) * (net * rng.uniform(0.15, 0.7))[..., None]
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)


def _rainbow(rng: Rng, xx: np.ndarray, yy: np.ndarray, base: Colour) -> np.ndarray:
    """Two to four hues that run into each other along a line."""
    angle, count = rng.uniform(0, np.pi), int(rng.integers(2, 5))
    along = np.cos(angle) * xx + np.sin(angle) * yy
    along = (along - along.min()) / max(float(np.ptp(along)), 1e-6)
    tones = np.clip(np.array(base) + rng.normal(0, 26, (count, 3)), 60, 255)
    stops = np.linspace(0, 1, count)
    return np.stack([np.interp(along, stops, tones[:, c]) for c in range(3)], -1).astype(np.float32)


def _net(rng: Rng, xx: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """Wavy lines side by side over all of the card, 0..1."""
    turn = rng.uniform(0, np.pi)
    across, along = (
        np.cos(turn) * xx + np.sin(turn) * yy,
        np.cos(turn) * yy - np.sin(turn) * xx,
    )
    bend = rng.uniform(0.005, 0.06) * np.sin(along * rng.uniform(5, 40) + rng.uniform(0, 6))
    bend += rng.uniform(0, 0.08) * np.sin(along * rng.uniform(2, 9) + across * rng.uniform(0, 9))
    lines = np.sin((across + bend) * rng.uniform(160, 900))
    return np.asarray(np.clip((lines - rng.uniform(-0.2, 0.7)) * 2, 0, 1), np.float32)


def _rosette(rng: Rng, xx: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """A flower of lines around a point, 0..1."""
    dx, dy = xx - rng.uniform(0.1, 0.9), yy - rng.uniform(0.1, 0.6)
    reach, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    petals = int(rng.integers(4, 16))
    wave = reach * rng.uniform(60, 260) + rng.uniform(1, 6) * np.cos(petals * angle)
    edge = rng.uniform(0.15, 0.6)
    lines = np.clip(np.sin(wave) * 2, 0, 1) * np.clip((edge - reach) * 12, 0, 1)
    return np.asarray(lines, np.float32)
