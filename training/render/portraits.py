"""Portraits drawn from ellipses and polygons: many kinds of faces, hair, clothes and prints."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw

from training.render import ink
from training.render.ink import Colour
from training.render.patch import Image8
from training.render.words import Rng, chance, pick

WIDTH, HEIGHT = 150, 190
SKINS: tuple[Colour, ...] = (
    (250, 222, 200), (240, 205, 178), (230, 190, 160), (222, 178, 142), (205, 158, 122),
    (186, 138, 104), (160, 114, 84), (130, 90, 66), (104, 70, 50), (76, 50, 38),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (18, 16, 18), (28, 22, 20), (40, 28, 22), (70, 46, 30), (110, 76, 44), (170, 128, 74),
    (214, 186, 134), (150, 148, 146), (210, 208, 206), (120, 52, 30),
)  # fmt: skip


def shade(colour: Colour, gain: float) -> Colour:
    r, g, b = (int(min(max(c * gain, 0), 255)) for c in colour)
    return (r, g, b)


def _hair_behind(
    rng: Rng, draw: ImageDraw.ImageDraw, head: ink.Box, hair: Colour, style: str
) -> None:
    left, top, right, bottom = head
    wide, high = right - left, bottom - top
    if style == "long":
        reach = rng.uniform(0.5, 1.1) * high
        draw.rounded_rectangle(
            (left - wide * 0.16, top - high * 0.1, right + wide * 0.16, bottom + reach * 0.5),
            wide * 0.45,
            hair,
        )
    elif style == "bun":
        draw.ellipse(
            (left + wide * 0.3, top - high * 0.3, right - wide * 0.3, top + high * 0.1), hair
        )
    elif style == "afro":
        draw.ellipse(
            (left - wide * 0.3, top - high * 0.35, right + wide * 0.3, top + high * 0.75), hair
        )
    elif style == "scarf":
        draw.ellipse(
            (left - wide * 0.22, top - high * 0.18, right + wide * 0.22, bottom + high * 0.5), hair
        )


def _hair_above(
    rng: Rng, draw: ImageDraw.ImageDraw, head: ink.Box, hair: Colour, style: str
) -> None:
    left, top, right, _ = head
    wide, high = right - left, head[3] - top
    line = top + high * rng.uniform(0.16, 0.34)
    if style == "bald":
        return
    if style == "cap":
        draw.chord(
            (left - wide * 0.08, top - high * 0.16, right + wide * 0.08, line + high * 0.45),
            180,
            360,
            hair,
        )
        draw.rectangle(
            (left - wide * 0.2, line + high * 0.1, right + wide * 0.1, line + high * 0.17), hair
        )
        return
    draw.chord(
        (left - wide * 0.07, top - high * 0.1, right + wide * 0.07, line + high * 0.4),
        180,
        360,
        hair,
    )
    draw.rectangle(
        (
            left - wide * 0.06,
            top + high * 0.25,
            left + wide * 0.06,
            top + high * rng.uniform(0.3, 0.55),
        ),
        hair,
    )
    draw.rectangle(
        (
            right - wide * 0.06,
            top + high * 0.25,
            right + wide * 0.06,
            top + high * rng.uniform(0.3, 0.55),
        ),
        hair,
    )
    if chance(rng, 0.5):  # a fringe
        side = rng.uniform(0.2, 0.8)
        tip = (left + wide * side, line + high * rng.uniform(0.05, 0.16))
        draw.polygon(
            [(left, line), tip, (right, line), (right, top), (left, top + high * 0.05)], hair
        )


def _features(
    rng: Rng, draw: ImageDraw.ImageDraw, head: ink.Box, skin: Colour, hair: Colour
) -> None:
    left, top, right, bottom = head
    wide, high, x = right - left, bottom - top, (left + right) / 2
    eye, gap, size = (
        top + high * rng.uniform(0.45, 0.52),
        wide * rng.uniform(0.19, 0.24),
        wide * rng.uniform(0.07, 0.1),
    )
    tall = size * rng.uniform(0.35, 0.65)
    for side in (-1, 1):
        cx = x + side * gap
        draw.ellipse(
            (cx - size * 1.3, eye - tall * 2, cx + size * 1.3, eye + tall * 1.8), shade(skin, 0.86)
        )
        draw.ellipse((cx - size, eye - tall, cx + size, eye + tall), (238, 234, 230))
        draw.ellipse(
            (cx - tall, eye - tall, cx + tall, eye + tall),
            pick(rng, ((30, 22, 20), (60, 40, 26), (70, 90, 110))),
        )
        brow = eye - high * rng.uniform(0.08, 0.11)
        draw.line(
            [(cx - size * 1.3, brow + 2), (cx + size * 1.3, brow)],
            shade(hair, 0.8),
            int(rng.integers(3, 7)),
        )
    nose = top + high * rng.uniform(0.64, 0.7)
    draw.line([(x + 2, eye), (x + wide * 0.05, nose)], shade(skin, 0.82), 4)
    draw.ellipse((x - wide * 0.08, nose - 4, x + wide * 0.08, nose + 5), shade(skin, 0.84))
    mouth, reach = top + high * rng.uniform(0.78, 0.83), wide * rng.uniform(0.13, 0.2)
    lips = shade(skin, 0.7) if chance(rng, 0.6) else (170, 70, 70)
    draw.ellipse((x - reach, mouth - 4, x + reach, mouth + 5), lips)
    if chance(rng, 0.2):  # beard
        beard = shade(hair, 1.1)
        draw.chord(
            (left + wide * 0.04, mouth - high * 0.22, right - wide * 0.04, bottom + 4),
            0,
            180,
            beard,
        )
        draw.ellipse((x - reach, mouth - 4, x + reach, mouth + 5), lips)
    if chance(rng, 0.25):  # glasses
        rim, r = pick(rng, ((20, 20, 24), (90, 60, 40), (150, 150, 150))), wide * 0.17
        for side in (-1, 1):
            cx = x + side * gap
            draw.rounded_rectangle(
                (cx - r, eye - r * 0.75, cx + r, eye + r * 0.75),
                r * rng.uniform(0.2, 0.7),
                None,
                rim,
                3,
            )
        draw.line([(x - gap + r, eye), (x + gap - r, eye)], rim, 3)


def _clothes(rng: Rng, draw: ImageDraw.ImageDraw, neck: float, skin: Colour) -> None:
    cloth = ink.colour(rng, 15, 120) if chance(rng, 0.7) else ink.colour(rng, 90, 245)
    slope, x = rng.uniform(10, 34), WIDTH / 2
    top = HEIGHT - rng.uniform(24, 46)
    points = [
        (x - 22, top - 8),
        (x + 22, top - 8),
        (WIDTH - 10, top + slope * 0.6),
        (WIDTH + 8, HEIGHT),
        (-8, HEIGHT),
        (10, top + slope * 0.6),
    ]
    draw.polygon(points, cloth)
    draw.ellipse((x - neck, top - 24, x + neck, top + 8), skin)
    if chance(rng, 0.5):  # collar and tie
        shirt = pick(rng, ((245, 245, 248), (200, 215, 235), (230, 230, 225)))
        draw.polygon(
            [
                (x - 24, top - 10),
                (x, top + 24),
                (x + 24, top - 10),
                (x + 14, HEIGHT),
                (x - 14, HEIGHT),
            ],
            shirt,
        )
        draw.polygon([(x - neck, top - 12), (x, top + 10), (x + neck, top - 12)], skin)
        if chance(rng, 0.5):
            draw.polygon(
                [(x - 5, top + 10), (x + 5, top + 10), (x + 7, HEIGHT), (x - 7, HEIGHT)],
                ink.vivid(rng, 0.5),
            )


def _colour_portrait(rng: Rng) -> Image8:
    ground = pick(
        rng,
        (
            (236, 240, 244),
            (250, 250, 250),
            (205, 222, 240),
            (190, 195, 200),
            (150, 190, 225),
            (220, 214, 204),
            (110, 120, 140),
            (200, 60, 60),
            (60, 110, 190),
        ),
    )
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(image)
    skin = pick(rng, SKINS)
    hair = pick(rng, HAIRS[:4] if chance(rng, 0.5) else HAIRS)
    style = pick(
        rng, ("short", "short", "short", "long", "long", "bun", "bald", "afro", "scarf", "cap")
    )
    if style == "scarf":
        hair = ink.colour(rng, 20, 230)
    size = rng.uniform(0.9, 1.5)
    x, y = WIDTH / 2 + rng.normal(0, 3), HEIGHT * rng.uniform(0.42, 0.5)
    half_w, half_h = 36 * size * rng.uniform(0.9, 1.1), 47 * size * rng.uniform(0.92, 1.08)
    head = (x - half_w, y - half_h, x + half_w, y + half_h)
    _hair_behind(rng, draw, head, hair, style)
    draw.rectangle((x - half_w * 0.45, y, x + half_w * 0.45, HEIGHT - 22), shade(skin, 0.85))
    _clothes(rng, draw, half_w * 0.45, shade(skin, 0.85))
    for side in (-1, 1):
        draw.ellipse(
            (x + side * half_w - 6, y - 8, x + side * half_w + 6, y + 14), shade(skin, 0.9)
        )
    draw.ellipse(head, skin)
    _features(rng, draw, head, skin, hair)
    _hair_above(rng, draw, head, hair, style)
    return np.array(image)


def portrait(rng: Rng) -> Image8:
    """A drawn portrait photograph, (190, 150, 3) RGB uint8."""
    drawn = cv2.GaussianBlur(_colour_portrait(rng), (0, 0), rng.uniform(1.2, 2.4))
    return develop(rng, drawn.astype(np.float32))


def develop(rng: Rng, pixels: np.ndarray) -> Image8:
    """The portrait `pixels` (190, 150, 3) in some light; sometimes grey, dull or engraved."""
    left, right = rng.uniform(0.72, 1.18, 2)
    ramp = np.linspace(left, right, WIDTH, dtype=np.float32)[None, :]
    light = ramp * (1 + 0.05 * ink.soft_noise(rng, HEIGHT, WIDTH, 6))
    across = np.linspace(-1, 1, WIDTH, dtype=np.float32) - np.float32(rng.normal(0, 0.15))
    light *= 1.05 - np.float32(rng.uniform(0, 0.5)) * across**2  # faces are round
    pixels = pixels * light[..., None]
    pixels += rng.normal(0, rng.uniform(1, 7), pixels.shape).astype(np.float32)
    if chance(rng, 0.35):
        grey = pixels @ np.array([0.3, 0.6, 0.1], np.float32)
        pixels = grey[..., None] * np.array(
            pick(rng, ((1, 1, 1), (1, 0.97, 0.9), (0.92, 0.97, 1.05))), np.float32
        )
    contrast = rng.uniform(0.55, 1.15)
    return np.clip((pixels - 128) * contrast + 128 + rng.normal(0, 12), 0, 255).astype(np.uint8)


def fade(rng: Rng, face: Image8, ground: Colour) -> Image8:
    """The same portrait as a ghost image or a dull print over `ground`."""
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    tone = np.array(shade(ground, rng.uniform(0.35, 0.75)), np.float32)
    base = np.array(ground, np.float32)
    mixed = tone + (base - tone) * np.clip(grey * 1.3, 0, 1)[..., None]
    return np.clip(base + (mixed - base) * rng.uniform(0.35, 1), 0, 255).astype(np.uint8)
