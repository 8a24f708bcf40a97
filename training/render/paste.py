"""Putting a flat patch into a picture: pose, warp without aliasing, light, shadow, curvature."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.render import ink
from training.render.patch import Image8
from training.render.words import Rng, chance

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Look:
    """How a patch is lit and bent. gain: RGB factors; slope: change of light along x and y; glare:
    strength of a highlight; blur: sigma in px; shadow: darkness under it; bend: depth of the wave
    that displaces it, in shares of its height."""

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    slope: tuple[float, float] = (0.0, 0.0)
    glare: float = 0.0
    blur: float = 0.0
    shadow: float = 0.0
    bend: float = 0.0


PLAIN = Look()


def random_look(rng: Rng, under: Image8, glossy: float, soft: float) -> Look:
    """Light that follows the brightness of `under`, which the patch will cover.

    glossy, soft: chance of glare and of bending."""
    level = float(under[::4, ::4].mean()) if under.size else 128.0
    gain = np.clip((level / 150) ** rng.uniform(0.2, 0.7), 0.25, 1.2) * rng.uniform(0.85, 1.1)
    tint = 1 + rng.normal(0, 0.05, 3)
    if chance(rng, 0.5) and under.size:  # the scene's own tint
        mean = under[::4, ::4].reshape(-1, 3).mean(0) + 12
        tint *= (mean / mean.mean()) ** 0.25
    r, g, b = (float(v) for v in gain * tint)
    slope = (float(rng.normal(0, 0.1)), float(rng.normal(0, 0.1)))
    return Look(
        (r, g, b),
        slope,
        float(rng.uniform(0.2, 1)) if chance(rng, glossy) else 0.0,
        float(rng.uniform(0.3, 1.3)) if chance(rng, 0.3) else 0.0,
        float(rng.uniform(0.15, 0.6)) if chance(rng, 0.45) else 0.0,
        float(rng.uniform(0.01, 0.06)) if chance(rng, soft) else 0.0,
    )


def pose(rng: Rng, ratio: float, height: float, tilt: float, roll: float) -> FloatArray:
    """Corners (4, 2) of a rectangle seen in perspective, centred on 0, clockwise from its top left.

    `height` is its short side in px before foreshortening for `ratio` (width over height) >= 1;
    tilt: the largest angle away from the viewer, degrees; roll: deviation of its turn, degrees.
    """
    scale = height / min(ratio, 1.0)
    corners = np.array([[-ratio, -1, 0], [ratio, -1, 0], [ratio, 1, 0], [-ratio, 1, 0]]) * scale / 2
    yaw, pitch = np.radians(rng.uniform(-tilt, tilt, 2) * rng.uniform(0.2, 1, 2))
    if chance(rng, 0.6):
        yaw *= 0.35
    turn = np.radians(rng.normal(0, roll))
    c, s = np.cos(yaw), np.sin(yaw)
    corners = corners @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
    c, s = np.cos(pitch), np.sin(pitch)
    corners = corners @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T
    flat = project(corners, rng.uniform(2, 9) * max(ratio, 1) * scale)
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(flat @ np.array([[c, -s], [s, c]]).T, np.float32)


def project(points: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    """Central projection of (N, 3) points onto the plane z = 0 from `distance` in front of it."""
    return points[:, :2] * (distance / np.maximum(distance + points[:, 2:], distance * 0.2))


def visible(quad: FloatArray, width: int, height: int) -> tuple[float, FloatArray]:
    """Share of the convex `quad` (N, 2) inside the picture, and the box (4,) of that part."""
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    area, points = cv2.intersectConvexConvex(np.ascontiguousarray(quad, np.float32), frame)
    whole = abs(cv2.contourArea(np.ascontiguousarray(quad, np.float32)))
    if area <= 0 or whole <= 0 or points is None:
        return 0.0, np.zeros(4, np.float32)
    points = np.clip(points.reshape(-1, 2), 0, [width, height])
    return float(area / whole), np.concatenate([points.min(0), points.max(0)]).astype(np.float32)


def _shrink(patch: Image8, quad: FloatArray) -> Image8:
    """The patch at about the size it will have, with an empty rim for soft edges."""
    top, right, bottom, left = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1)
    wide = int(np.clip(np.ceil(max(top, bottom)), 2, patch.shape[1]))
    high = int(np.clip(np.ceil(max(left, right)), 2, patch.shape[0]))
    while patch.shape[1] >= 2 * wide and patch.shape[0] >= 2 * high:  # halving is the fast case
        even = patch[: patch.shape[0] // 2 * 2, : patch.shape[1] // 2 * 2]
        size = (even.shape[1] // 2, even.shape[0] // 2)
        patch = np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.uint8)
    small = cv2.resize(patch, (wide, high), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.uint8)


def _lit(rng: Rng, patch: Image8, look: Look) -> FloatArray:
    """Premultiplied float patch in the look's light; alpha (0..1) is the fourth channel."""
    high, wide = patch.shape[:2]
    out = patch.astype(np.float32)
    ramp = np.add.outer(
        np.linspace(-look.slope[1], look.slope[1], high),
        np.linspace(-look.slope[0], look.slope[0], wide),
    )
    out[..., :3] *= (1 + ramp[..., None]) * np.array(look.gain)
    if look.glare > 0:
        yy, xx = np.ogrid[-1 : 1 : high * 1j, -1 : 1 : wide * 1j]
        a, (x, y), size = rng.uniform(0, np.pi), rng.uniform(-1, 1, 2), rng.uniform(0.05, 0.7)
        across = (xx - x) * np.cos(a) + (yy - y) * np.sin(a)
        along = (yy - y) * np.cos(a) - (xx - x) * np.sin(a)
        spot = look.glare * np.exp(-((across / size) ** 2) - (along / rng.uniform(0.5, 4)) ** 2)
        out[..., :3] += (255 - out[..., :3]) * np.clip(spot * 1.3, 0, 1)[..., None]
    out[..., 3] /= 255
    out[[0, -1], :, 3] = 0
    out[:, [0, -1], 3] = 0
    out[..., :3] *= out[..., 3:]
    return out


def paste(
    rng: Rng, picture: Image8, patch: Image8, quad: FloatArray, look: Look = PLAIN
) -> FloatArray | None:
    """Draw the RGBA `patch` in place so that its corners lie on `quad` (4, 2), px of `picture`.

    Returns the box (4,) of what was drawn when bending moved it away from `quad`, else None.
    """
    pad = 2 + int(look.shadow > 0) * int(np.ptp(quad, axis=0).max() * 0.06 + 2) + int(3 * look.blur)
    pad += int(look.bend * np.ptp(quad, axis=0).max())
    x0, y0 = (max(int(v) - pad, 0) for v in quad.min(0))
    x1 = min(int(quad[:, 0].max()) + pad + 1, picture.shape[1])
    y1 = min(int(quad[:, 1].max()) + pad + 1, picture.shape[0])
    if x1 - x0 < 1 or y1 - y0 < 1:
        return None
    small = _lit(rng, _shrink(patch, quad), look)
    high, wide = small.shape[:2]
    source = np.array(
        [[0.5, 0.5], [wide - 1.5, 0.5], [wide - 1.5, high - 1.5], [0.5, high - 1.5]], np.float32
    )
    target = quad.astype(np.float32) - np.array([x0 + 0.5, y0 + 0.5], np.float32)
    matrix = np.asarray(cv2.getPerspectiveTransform(source, target), np.float64)
    size = (x1 - x0, y1 - y0)
    if look.bend > 0:
        warped = _bent(rng, small, matrix, size, look.bend)
    else:
        flat = cv2.warpPerspective(small, matrix, size, flags=cv2.INTER_LINEAR)
        warped = np.asarray(flat, np.float32)
    if look.blur > 0:
        warped = np.asarray(cv2.GaussianBlur(warped, (0, 0), look.blur), np.float32)
    under = picture[y0:y1, x0:x1].astype(np.float32)
    alpha = warped[..., 3:]
    if look.shadow > 0:
        step = max(pad // 2, 1)
        shift = np.array([[1, 0, rng.integers(-step, step + 1)], [0, 1, step]], np.float32)
        cast = cv2.blur(cv2.warpAffine(alpha, shift, size), (2 * step + 1, 2 * step + 1))
        under *= 1 - look.shadow * cast[..., None]
    under *= 1 - alpha
    under += warped[..., :3]
    picture[y0:y1, x0:x1] = np.clip(under, 0, 255).astype(np.uint8)
    if look.bend == 0:
        return None
    x, y, w, h = cv2.boundingRect((alpha[..., 0] > 0.35).astype(np.uint8))
    return np.array([x0 + x, y0 + y, x0 + x + w, y0 + y + h], np.float32) if w and h else None


def _bent(
    rng: Rng, small: FloatArray, matrix: NDArray[np.float64], size: tuple[int, int], depth: float
) -> FloatArray:
    """Warp through a wave across the patch, and shade its slopes."""
    high, wide = small.shape[:2]
    inverse = np.linalg.inv(matrix).astype(np.float32)
    xx, yy = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    w = inverse[2, 0] * xx + inverse[2, 1] * yy + inverse[2, 2]
    u = (inverse[0, 0] * xx + inverse[0, 1] * yy + inverse[0, 2]) / w
    v = (inverse[1, 0] * xx + inverse[1, 1] * yy + inverse[1, 2]) / w
    angle = rng.uniform(0, np.pi)
    wave = (u / wide * np.cos(angle) + v / high * np.sin(angle)) * rng.uniform(2, 7) + rng.uniform(
        0, 6
    )
    lift = (np.sin(wave) * depth).astype(np.float32)
    moved = cv2.remap(
        small,
        u + lift * np.float32(wide * np.sin(angle)),
        v + lift * np.float32(high),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    warped = np.asarray(moved, np.float32)
    warped[..., :3] *= 1 + np.float32(rng.uniform(1, 5) * depth) * np.cos(wave)[..., None]
    return warped


def between(quad: FloatArray, points: FloatArray) -> FloatArray:
    """Points (N, 2), in shares of a rectangle's width and height, on the `quad` it became."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(unit, quad.astype(np.float32))
    row = np.asarray(points, np.float32).reshape(1, -1, 2)
    return np.asarray(cv2.perspectiveTransform(row, matrix)[0], np.float32)


def finish_light(rng: Rng, picture: Image8) -> Image8:
    """What the camera and the stream do to the whole picture: light, lens, sensor, compression."""
    if chance(rng, 0.25):
        x = np.arange(256, dtype=np.float32) / 255
        gamma, gain = np.exp(rng.normal(0, 0.35)), rng.uniform(0.45, 1.3)
        curves = [np.clip(x**gamma * gain * t * 255, 0, 255) for t in 1 + rng.normal(0, 0.1, 3)]
        table = np.stack(curves, 1).astype(np.uint8)[None]
        picture = np.asarray(cv2.LUT(picture, table), np.uint8)
    if chance(rng, 0.12):
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.5)), np.uint8)
    elif chance(rng, 0.1):
        count = int(rng.integers(3, 10))
        line = np.zeros((count, count), np.float32)
        end = (count - 1) / 2 * np.array([np.cos(turn := rng.uniform(0, np.pi)), np.sin(turn)])
        middle = np.full(2, (count - 1) / 2)
        a, b = (middle - end).round().astype(int), (middle + end).round().astype(int)
        cv2.line(line, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 1.0)
        picture = np.asarray(cv2.filter2D(picture, -1, line / line.sum()), np.uint8)
    if chance(rng, 0.2):
        high, wide = picture.shape[:2]
        grain = cv2.resize(
            rng.integers(-128, 128, (high // 2, wide // 2, 3), dtype=np.int8).astype(np.float32),
            (wide, high),
            interpolation=cv2.INTER_NEAREST if chance(rng, 0.5) else cv2.INTER_LINEAR,
        )
        picture = np.clip(picture + grain * rng.uniform(0.02, 0.2), 0, 255).astype(np.uint8)
    if chance(rng, 0.04):  # filmed from a screen
        wave = 1 + rng.uniform(0.04, 0.15) * np.sin(
            np.arange(picture.shape[1]) * rng.uniform(0.4, 2.5) + rng.uniform(0, 6)
        )
        picture = np.clip(picture * wave[None, :, None], 0, 255).astype(np.uint8)
    if chance(rng, 0.35):
        _, data = cv2.imencode(
            ".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 85))]
        )
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return picture


def flat_quad(x: float, y: float, width: float, height: float, degrees: float = 0.0) -> FloatArray:
    """A rectangle around (x, y), turned."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(corners @ np.array([[c, s], [-s, c]]) + [x, y], np.float32)


def shaded(patch: Image8, gain: float) -> Image8:
    """The RGBA patch with its colours multiplied by `gain`."""
    out = patch.copy()
    out[..., :3] = np.clip(patch[..., :3] * gain, 0, 255)
    return out


def soft_rect(rng: Rng, width: int, height: int, colour: ink.Colour, radius: float) -> Image8:
    """A worn one-coloured RGBA rectangle with round corners: leather, plastic, paint."""
    base = np.empty((height, width, 3), np.uint8)
    base[:] = colour
    return ink.wear(rng, ink.finish(base, max(width, height), radius), 1.5)
