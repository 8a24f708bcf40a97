"""Faces in known photographs, for the portraits of training cards alone: drawn ones look drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from training.render import ink, portraits
from training.render.patch import Image8
from training.render.photographs import photograph
from training.render.words import Rng, chance, pick

# A picture's stem: the faces in it as left, top, width and height, px.
PEOPLE: dict[str, list[list[int]]] = json.loads(Path(__file__).with_name("people.json").read_text())
REAL_SHARE = 0.6

_crops: list[Image8] = []  # what this process has loaded


def load(folders: Sequence[Path]) -> None:
    """Keep the known faces of the pictures in `folders` for `portrait` in this process."""
    _crops.clear()
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        if path.stem in PEOPLE:
            picture = photograph(path).pixels[..., :3]
            _crops.extend(_crop(picture, face) for face in PEOPLE[path.stem])


def portrait(rng: Rng, split: str) -> Image8:
    """A portrait (190, 150, 3): for training often a real face, for validation always a drawn."""
    if split != "train" or not _crops or not chance(rng, REAL_SHARE):
        return portraits.portrait(rng)
    face = pick(rng, _crops)
    face = face[:, ::-1] if chance(rng, 0.5) else face
    trim = int(rng.integers(0, 16))
    inner = np.ascontiguousarray(face[trim : 190 - trim, trim : 150 - trim])
    face = np.asarray(cv2.resize(inner, (portraits.WIDTH, portraits.HEIGHT)), np.uint8)
    if chance(rng, 0.6):
        face = _before_wall(rng, face)
    return portraits.develop(rng, face.astype(np.float32))


def snapshot(rng: Rng) -> Image8:
    """A real face without a card: nothing to find."""
    rim = int(rng.integers(0, 25))
    tone = pick(rng, ((245, 245, 245), (18, 18, 20), (120, 80, 50)))
    face = portrait(rng, "train")
    framed = cv2.copyMakeBorder(face, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=tone)
    return np.asarray(framed, np.uint8)


def _crop(picture: Image8, face: Sequence[int]) -> Image8:
    """Head and shoulders around a face's box, as large as a portrait."""
    left, top, wide, high = face
    half_w, half_h = wide * 0.82, wide * 0.82 * portraits.HEIGHT / portraits.WIDTH
    x, y = left + wide / 2, top + high * 0.56
    x0, x1 = max(int(x - half_w), 0), min(int(x + half_w), picture.shape[1])
    y0, y1 = max(int(y - half_h), 0), min(int(y + half_h), picture.shape[0])
    size = (portraits.WIDTH, portraits.HEIGHT)
    return np.asarray(cv2.resize(picture[y0:y1, x0:x1], size), np.uint8)


def _before_wall(rng: Rng, face: Image8) -> Image8:
    """The head and shoulders before a plain ground, as in a photographer's booth."""
    mask = np.zeros(face.shape[:2], np.uint8)
    middle = portraits.WIDTH // 2
    head = (int(rng.integers(44, 58)), int(rng.integers(62, 76)))
    cv2.ellipse(mask, (middle, 88), head, 0, 0, 360, 255, -1)
    cv2.ellipse(mask, (middle, portraits.HEIGHT + 10), (80, 62), 0, 0, 360, 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 4)[..., None] / np.float32(255)
    wall = np.array(ink.colour(rng, 150, 250) if chance(rng, 0.5) else (238, 240, 243))
    return np.asarray(face * soft + wall * (1 - soft), np.uint8)
