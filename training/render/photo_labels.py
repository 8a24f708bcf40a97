"""Rendered labels on photographed parcels, in their light: on bare faces, or over real labels."""

from __future__ import annotations

import cv2
import numpy as np

from edge_agent.boxes import FloatArray
from training.render import paste
from training.render.bank import Bank
from training.render.paste import Look
from training.render.patch import Image8
from training.render.photographs import FACES, MARKS
from training.render.words import Rng, chance, pick

CARDBOARD = 150.0  # grey level of cardboard in the light that leaves white paper white
PAPER = 225.0  # grey level of a white label in that light
SWAP_SHARE = 0.75
VISIBLE_ENOUGH = 0.3

# What was put in or kept: the label's row in its bank (-1: a real label) and its box (4,).
Placed = list[tuple[int, FloatArray]]


def view_of(
    rng: Rng, bank: Bank, index: int, labels: Bank, ground: Image8
) -> tuple[Image8, Placed, list[FloatArray]]:
    """A part of photograph `index` at a random scale, with labels on it, over a copy of `ground`.

    Also returns the labels, cut at the picture's edge, and the quads (4, 2) that should stay as
    they are.
    """
    height, width = ground.shape[:2]
    source = bank.patch(index)
    high, wide = source.shape[:2]
    unit, name = np.array([wide, high], np.float32) / np.float32(100), str(bank.layout[index])
    marks = MARKS.get(name, [])
    quads = [np.array(q, np.float32) * unit for q in FACES.get(name, [])]
    boxes = [np.array(m["box"], np.float32).reshape(2, 2) * unit for m in marks]
    focus = pick(rng, quads or boxes).mean(0) + rng.normal(0, 0.1, 2) * [width, height]
    scale = float(np.exp(rng.uniform(np.log(0.3), np.log(1.7))))
    zoom = scale
    while scale < 0.5:
        even = source[: source.shape[0] // 2 * 2, : source.shape[1] // 2 * 2]
        size = (even.shape[1] // 2, even.shape[0] // 2)
        source = np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.uint8)
        scale *= 2
    shift = np.array([width / 2, height / 2], np.float32) - (focus * zoom).astype(np.float32)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    opaque = cv2.cvtColor(source, cv2.COLOR_RGBA2RGB)
    moved = cv2.warpAffine(
        opaque, matrix, (width, height), ground.copy(), borderMode=cv2.BORDER_TRANSPARENT
    )
    picture = np.asarray(moved, np.uint8)
    if quads:
        quads = [q * np.float32(zoom) + shift for q in quads]
        return picture, label_faces(rng, picture, quads, labels), quads
    placed: Placed = []
    for mark, corners in zip(marks, boxes, strict=True):
        (x0, y0), (x1, y1) = corners * np.float32(zoom) + shift
        box = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
        share, seen = paste.visible(box, width, height)
        row = -1
        if "quad" in mark and share > 0 and chance(rng, SWAP_SHARE):
            spot = np.array(mark["quad"], np.float32) * unit * np.float32(zoom) + shift
            row = swap_label(rng, picture, spot, labels)
        if share > VISIBLE_ENOUGH:
            placed.append((row, seen))
        quads.append(box)
    return picture, placed, quads


def swap_label(rng: Rng, picture: Image8, spot: FloatArray, labels: Bank) -> int:
    """Cover the real label on `spot` (4, 2) px by a rendered one of like shape and light, in place.

    Returns the rendered label's row in its bank.
    """
    top, right, bottom, left = np.linalg.norm(np.roll(spot, -1, 0) - spot, axis=1)
    shape = np.log((top + bottom) / (left + right))
    rows = rng.integers(0, len(labels), 12)
    shapes = np.log(labels.width[rows] / labels.height[rows])
    gaps = np.abs(np.stack([shapes - shape, shapes + shape]))
    turned, best = np.unravel_index(int(np.argmin(gaps)), gaps.shape)
    label = np.rot90(labels.patch(int(rows[best])), int(turned) + 2 * int(rng.integers(2)))
    x0, y0 = np.maximum(spot.min(0), 0).astype(int)
    x1, y1 = spot.max(0).astype(int) + 1
    under = picture[y0:y1, x0:x1]
    tone = np.percentile(under.reshape(-1, 3), 80, axis=0) / PAPER if under.size else np.ones(3)
    grown = spot + (spot - spot.mean(0)) * 0.08
    look = Look((tone[0], tone[1], tone[2]), blur=float(rng.uniform(0.3, 1.0)))
    paste.paste(rng, picture, np.ascontiguousarray(label), grown, look)
    return int(rows[best])


def label_faces(rng: Rng, picture: Image8, quads: list[FloatArray], labels: Bank) -> Placed:
    """Stick labels on one or more of `quads` (each (4, 2) px) of `picture`, in place.

    Returns each label's row in its bank and its box (4,), cut at the picture's edge.
    """
    placed: Placed = []
    for i in rng.permutation(len(quads))[: int(rng.integers(1, len(quads) + 1))]:
        taken: list[FloatArray] = []
        for _ in range(int(rng.choice([1, 2, 3], p=[0.7, 0.23, 0.07]))):
            index = labels.pick(rng)
            spot = _spot(rng, quads[i], labels.width[index] / labels.height[index])
            if any(cv2.intersectConvexConvex(spot, other)[0] > 1 for other in taken):
                continue
            taken.append(spot)
            share, box = paste.visible(spot, picture.shape[1], picture.shape[0])
            if share > VISIBLE_ENOUGH:
                _stick(rng, picture, quads[i], labels.patch(index), spot)
                placed.append((index, box))
    return placed


def _spot(rng: Rng, quad: FloatArray, ratio: float) -> FloatArray:
    """Corners in the picture of a label inside the face; the face's true shape is guessed."""
    top, right, bottom, left = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1)
    shape = (top + bottom) / (left + right) * np.exp(rng.normal(0, 0.2))
    size = rng.uniform(0.3, 0.9) * min(1.0, shape)  # of the label's long side, in face heights
    wide, high = (size, size / ratio) if ratio > 1 else (size * ratio, size)
    turn = (
        rng.normal(0, 4) + 90 * int(rng.integers(4)) if chance(rng, 0.85) else rng.uniform(0, 360)
    )
    flat = paste.flat_quad(0, 0, wide, high, turn)
    reach = np.abs(flat).max(0)
    room = np.maximum(np.array([shape, 1.0]) - 2 * reach, 0)
    centre = reach + rng.uniform(0, 1, 2) * room
    return paste.between(
        quad, (flat + centre.astype(np.float32)) / np.array([shape, 1.0], np.float32)
    )


def _stick(rng: Rng, picture: Image8, face: FloatArray, label: Image8, spot: FloatArray) -> None:
    """Draw the label in place; shadows that fall on the face fall on it too."""
    margin = float(np.ptp(spot, axis=0).max()) * 0.3 + 4
    left, top = np.maximum(spot.min(0) - margin, 0).astype(int)
    right, bottom = (spot.max(0) + margin).astype(int)
    area = picture[top:bottom, left:right]
    offset = np.array([left, top], np.float32)
    grey = cv2.cvtColor(area, cv2.COLOR_RGB2GRAY)
    inside = np.zeros(grey.shape, np.uint8)
    cv2.fillConvexPoly(inside, (face - offset).astype(np.int32), 255)
    level = float(np.percentile(grey[inside > 0], 65)) if inside.any() else 128.0
    reach = (int(margin) | 1, int(margin) | 1)
    weight = cv2.blur(inside.astype(np.float32), reach) + 1
    smooth = cv2.blur(np.where(inside > 0, grey, 0).astype(np.float32), reach)
    local = np.clip(smooth * 255 / weight / max(level, 8.0), 0.7, 1.25)[..., None]
    gain = float(np.clip(level / CARDBOARD * rng.uniform(0.9, 1.3), 0.12, 1.08))
    tint = gain * (1 + rng.normal(0, 0.03, 3))
    glare = float(rng.uniform(0.2, 1)) if chance(rng, 0.15) else 0.0
    blur = float(rng.uniform(0.3, 1.0))
    bend = float(rng.uniform(0.005, 0.03)) if chance(rng, 0.15) else 0.0
    look = Look((tint[0], tint[1], tint[2]), glare=glare, blur=blur, bend=bend)
    lit = area.copy()
    paste.paste(rng, lit, label, spot - offset, look)
    drawn = np.abs(lit.astype(np.int16) - area).max(2, keepdims=True) > 0
    area[:] = np.clip(lit * np.where(drawn, local, 1.0), 0, 255)
