"""Parcels with labels on them: cuboids whose faces unfold into one net, and soft mailers."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.render import paste
from training.render.bank import Banks
from training.render.paste import FloatArray, Look
from training.render.patch import Image8
from training.render.words import Rng, chance, pick

STRAYS = ("care_sticker", "code_print", "words_only", "word_line", "tape")


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """rect: where the net holds it (left, top, right, bottom); quad: where the picture shows it."""

    rect: tuple[int, int, int, int]
    quad: FloatArray
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One object in the picture. points: the outline (N, 2) px of its visible sides."""

    points: FloatArray
    kind: str
    index: int


def _corners(rect: tuple[int, int, int, int]) -> FloatArray:
    left, top, right, bottom = rect
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def _cuboid(
    rng: Rng, size: float, centre: tuple[float, float]
) -> tuple[list[Face], tuple[int, int]]:
    """Visible faces of a box about `size` px large, and the size (width, height) of their net."""
    w, h, d = (max(int(v * size), 6) for v in rng.uniform(0.35, 1, 3) * (1, rng.uniform(0.4, 1), 1))
    yaw = np.radians(rng.uniform(4, 65))
    low, high = pick(rng, ((4, 18), (8, 35), (4, 80)))  # tops seen edge-on are common and hard
    pitch = np.radians(rng.uniform(low, high))
    left_side = chance(rng, 0.5)
    start = d if left_side else 0
    rects = {
        "front": (start, d, start + w, d + h),
        "top": (start, 0, start + w, d),
        "side": (0, d, d, d + h) if left_side else (w, d, w + d, d + h),
    }

    def solid(u: NDArray[np.float32], v: NDArray[np.float32], name: str) -> NDArray[np.float64]:
        x, y, z = u - start - w / 2, v - d - h / 2, np.full(4, -d / 2)
        if name == "top":
            y, z = np.full(4, -h / 2), -d / 2 + (d - v)
        elif name == "side":
            x, z = (
                np.full(4, -w / 2 if left_side else w / 2),
                -d / 2 + (d - u if left_side else u - w),
            )
        return np.stack([x, y, z], 1).astype(np.float64)

    turn = -yaw if left_side else yaw
    c, s = np.cos(turn), np.sin(turn)
    around = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = np.cos(pitch), np.sin(pitch)
    down = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    c, s = (
        np.cos(r := np.radians(rng.normal(0, 8) + 90 * int(rng.integers(4)) * chance(rng, 0.08))),
        np.sin(r),
    )
    roll = np.array([[c, -s], [s, c]])
    distance = rng.uniform(1.6, 6) * max(w, h, d)
    light = {
        "front": rng.uniform(0.7, 1.05),
        "top": rng.uniform(0.8, 1.2),
        "side": rng.uniform(0.45, 0.95),
    }
    faces = []
    for name, rect in rects.items():
        flat = _corners(rect)
        quad = (
            paste.project(solid(flat[:, 0], flat[:, 1], name) @ around.T @ down.T, distance)
            @ roll.T
        )
        quad = (quad + centre).astype(np.float32)
        if cv2.contourArea(quad, oriented=True) > 4:  # facing the viewer
            faces.append(Face(rect, quad, light[name]))
    return faces, (w + d, d + h)


def _label_quad(rng: Rng, faces: list[Face], ratio: float) -> FloatArray | None:
    """A place for a label in the net: on one face or across an edge, wholly on faces."""
    tops = [face for face in faces if face.rect[1] == 0]  # where most labels are
    for _ in range(8):
        face = pick(rng, tops if tops and chance(rng, 0.5) else faces)
        left, top, right, bottom = face.rect
        short = min(right - left, bottom - top)
        long_side = short * rng.uniform(0.25, 0.9)
        wide, high = (long_side, long_side / ratio) if ratio > 1 else (long_side * ratio, long_side)
        turn = (
            rng.normal(0, 4) + 90 * int(rng.integers(4))
            if chance(rng, 0.85)
            else rng.uniform(0, 360)
        )
        over = 0.35 if chance(rng, 0.2) else 0.0
        x = rng.uniform(
            left + wide * (0.5 - over), max(right - wide * (0.5 - over), left + wide * 0.5 + 1)
        )
        y = rng.uniform(
            top + high * (0.5 - over), max(bottom - high * (0.5 - over), top + high * 0.5 + 1)
        )
        quad = paste.flat_quad(x, y, wide, high, turn)
        held = sum(cv2.intersectConvexConvex(quad, _corners(f.rect))[0] for f in faces)
        if held > 0.97 * wide * high:
            return quad
    return None


def _shown(quad: FloatArray, faces: list[Face]) -> FloatArray:
    """Outline points in the picture of a net polygon that may lie on several faces."""
    points = []
    for face in faces:
        area, piece = cv2.intersectConvexConvex(quad, _corners(face.rect))
        if area > 0.5 and piece is not None:
            matrix = cv2.getPerspectiveTransform(_corners(face.rect), face.quad)
            points.append(cv2.perspectiveTransform(piece.reshape(1, -1, 2), matrix)[0])
    return np.concatenate(points)


def _net_skin(
    rng: Rng, banks: Banks, faces: list[Face], size: tuple[int, int], trait: str
) -> Image8:
    rows = np.flatnonzero(banks.surfaces.trait == trait)
    skin = banks.surfaces.patch(pick(rng, rows.tolist()))
    net = np.zeros((size[1], size[0], 3), np.uint8)
    for face in faces:
        left, top, right, bottom = face.rect
        turned = np.ascontiguousarray(np.rot90(skin[..., :3], int(rng.integers(4))))
        net[top:bottom, left:right] = cv2.resize(
            turned, (right - left, bottom - top), interpolation=cv2.INTER_AREA
        )
    return net


def draw(
    rng: Rng, picture: Image8, banks: Banks, centre: tuple[float, float], size: float
) -> list[Placed]:
    """Draw one parcel about `size` px large, with 0 to 3 labels and stray stickers, in place."""
    soft = chance(rng, 0.2)
    if soft:
        side = max(int(size), 8)
        quad = paste.pose(rng, rng.uniform(0.6, 1.5), size * 0.8, 65, 25)
        quad += np.array(centre, np.float32)
        faces, net_size = [Face((0, 0, side, side), quad, 1.0)], (side, side)
    else:
        faces, net_size = _cuboid(rng, size, centre)
    if not faces:
        return []
    net = _net_skin(rng, banks, faces, net_size, "bag" if soft else "box")
    placed: list[Placed] = []
    taken: list[FloatArray] = []
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.12, 0.55, 0.25, 0.08]))):
        index = banks.labels.pick(rng)
        spot = _label_quad(rng, faces, banks.labels.width[index] / banks.labels.height[index])
        if spot is None or any(cv2.intersectConvexConvex(spot, other)[0] > 1 for other in taken):
            continue
        tone = rng.uniform(0.85, 1.1) + rng.normal(0, 0.02, 3)
        glare = float(rng.uniform(0, 1)) if chance(rng, 0.2) else 0.0
        shadow = 0.3 if chance(rng, 0.3) else 0.0
        look = Look((tone[0], tone[1], tone[2]), glare=glare, shadow=shadow)
        paste.paste(rng, net, banks.labels.patch(index), spot, look)
        taken.append(spot)
        placed.append(Placed(_shown(spot, faces), "labels", index))
    if chance(rng, 0.35):  # something that is no label beside it
        _stray(rng, net, banks, faces, taken)
    _film(rng, net, taken)
    _show(rng, picture, net, faces)
    return placed


def _stray(rng: Rng, net: Image8, banks: Banks, faces: list[Face], taken: list[FloatArray]) -> None:
    """A print or sticker that names nobody; white slips would pass for labels here."""
    bank = banks.negatives
    drawn = (bank.pick(rng) for _ in range(8))
    index = next((i for i in drawn if bank.layout[i].startswith(STRAYS)), None)
    if index is None:
        return
    ratio = float(np.clip(bank.width[index] / bank.height[index], 0.3, 3))
    spot = _label_quad(rng, faces, ratio)
    if spot is None or any(cv2.intersectConvexConvex(spot, other)[0] > 1 for other in taken):
        return
    paste.paste(rng, net, bank.patch(index), spot)


def _film(rng: Rng, net: Image8, taken: list[FloatArray]) -> None:
    """Clear tape or film over labels: a band that brightens, with a shine of its own."""
    if not taken or not chance(rng, 0.2):
        return
    centre = taken[0].mean(0)
    band = paste.flat_quad(
        float(centre[0]),
        float(centre[1]),
        net.shape[1] * 1.5,
        net.shape[0] * rng.uniform(0.08, 0.5),
        rng.uniform(0, 180),
    )
    tone = np.full((8, 8, 4), 255, np.uint8)
    if chance(rng, 0.25):  # dark tape, over a part of the label alone
        tone[..., :3] = pick(rng, ((34, 36, 44), (120, 84, 50), (60, 60, 64)))
        centre = taken[0][0] + (taken[0][1] - taken[0][0]) * rng.uniform(-0.1, 1.1)
        narrow = float(np.linalg.norm(taken[0][3] - taken[0][0])) * rng.uniform(0.1, 0.35)
        band = paste.flat_quad(
            float(centre[0]), float(centre[1]), net.shape[1] * 2.0, narrow, rng.normal(90, 20)
        )
    else:
        tone[..., :3] = pick(rng, ((235, 235, 235), (225, 200, 150), (250, 250, 250)))
        tone[..., 3] = int(rng.integers(25, 110))
    paste.paste(rng, net, tone, band, Look(glare=float(rng.uniform(0, 0.5))))


def _show(rng: Rng, picture: Image8, net: Image8, faces: list[Face]) -> None:
    level = np.clip(
        (float(picture[::8, ::8].mean()) / 130) ** rng.uniform(0.3, 0.9), 0.2, 1.2
    ) * rng.uniform(0.75, 1.1)
    tint = 1 + rng.normal(0, 0.05, 3)
    glare = float(rng.uniform(0, 0.7)) if chance(rng, 0.12) else 0.0
    blur = float(rng.uniform(0.3, 1.2)) if chance(rng, 0.3) else 0.0
    for face in faces:
        left, top, right, bottom = face.rect
        piece = net[top:bottom, left:right]
        skin = np.dstack([piece, np.full(piece.shape[:2], 255, np.uint8)])
        r, g, b = (float(v) for v in level * tint * face.gain)
        look = Look(
            (r, g, b), (float(rng.normal(0, 0.08)), float(rng.normal(0, 0.08))), glare, blur, 0.35
        )
        paste.paste(rng, picture, skin, face.quad, look)
