"""What holds or carries an object: hands, wallets, clear holders, lanyards, bumpers."""

from __future__ import annotations

import numpy as np

from training.render import ink, paste
from training.render.bank import Banks
from training.render.paste import FloatArray, Look
from training.render.patch import Image8
from training.render.words import Rng, chance, pick

PAINTS: tuple[ink.Colour, ...] = (
    (240, 240, 240), (200, 202, 206), (120, 122, 126), (40, 42, 46), (14, 14, 16), (150, 24, 28),
    (30, 50, 110), (90, 70, 50), (40, 80, 60), (220, 190, 60),
)  # fmt: skip
LEATHER: tuple[ink.Colour, ...] = (
    (60, 36, 24), (24, 22, 22), (110, 70, 40), (150, 40, 44), (180, 150, 120), (40, 50, 80),
)  # fmt: skip


def _sides(quad: FloatArray) -> tuple[float, float]:
    """Mean width and height of the quad, px."""
    top, right, bottom, left = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1)
    return float(top + bottom) / 2, float(left + right) / 2


def _hits(quad: FloatArray, avoid: list[FloatArray]) -> bool:
    """Whether the box around `quad` meets one of the boxes that must stay uncovered."""
    low, high = quad.min(0), quad.max(0)
    return any((np.minimum(high, b[2:]) > np.maximum(low, b[:2])).all() for b in avoid)


def fingers(
    rng: Rng,
    picture: Image8,
    banks: Banks,
    quad: FloatArray,
    gain: tuple[float, float, float],
    avoid: list[FloatArray],
) -> None:
    """One or two hands reach over the quad's edges, lit as the object is."""
    wide, high = _sides(quad)
    short = min(wide, high)
    for side in rng.permutation(4)[: int(rng.choice([1, 2], p=[0.6, 0.4]))]:
        start, end = quad[side], quad[(side + 1) % 4]
        inward = quad.mean(0) - (start + end) / 2
        inward /= np.linalg.norm(inward) + 1e-6
        at = start + (end - start) * rng.uniform(0.1, 0.9)
        size = short * rng.uniform(0.8, 1.6)
        tip = at + inward * short * rng.uniform(0.05, 0.4)
        lean = np.radians(rng.normal(0, 22))
        c, s = np.cos(lean), np.sin(lean)
        up = np.array([[c, -s], [s, c]]) @ inward
        across = np.array([-up[1], up[0]])
        top = tip + up * size * 0.2
        index = banks.hands.pick(rng)
        long = float(banks.hands.height[index] / banks.hands.width[index])
        hand = np.array(
            [
                top - across * size / 2,
                top + across * size / 2,
                top - up * size * long + across * size / 2,
                top - up * size * long - across * size / 2,
            ],
            np.float32,
        )
        if _hits(hand, avoid):
            continue
        mean = float(np.mean(gain)) * rng.uniform(0.85, 1.2)
        look = Look(
            (mean, mean, mean),
            (float(rng.normal(0, 0.15)), 0.0),
            shadow=0.3 if chance(rng, 0.6) else 0.0,
            blur=float(rng.uniform(0, 0.8)),
        )
        paste.paste(rng, picture, banks.hands.patch(index), hand, look)


def behind(
    rng: Rng, picture: Image8, quad: FloatArray, layout: str, avoid: list[FloatArray]
) -> None:
    """A wallet, a clear holder with its strap, or a sheet below the object."""
    way = rng.random()
    if way < 0.4:
        left, top, right, bottom = rng.uniform(0.08, 1.1, 4)
        outer = paste.between(
            quad,
            np.array(
                [
                    [-left, -top * 0.4],
                    [1 + right, -top * 0.4],
                    [1 + right, 1 + bottom * 0.5],
                    [-left, 1 + bottom * 0.5],
                ],
                np.float32,
            ),
        )
        if not _hits(outer, avoid):
            leather = paste.soft_rect(rng, 120, 90, pick(rng, LEATHER), 0.06)
            paste.paste(rng, picture, leather, outer, Look(shadow=0.4))
        return
    rim = rng.uniform(0.03, 0.1)
    outer = paste.between(
        quad,
        np.array([[-rim, -rim], [1 + rim, -rim], [1 + rim, 1 + rim], [-rim, 1 + rim]], np.float32),
    )
    if "up" in layout or way < 0.7:
        strap = ink.colour(rng, 10, 230)
        middle = outer[:2].mean(0)
        down = outer[2:].mean(0) - middle
        across = (outer[1] - outer[0]) * 0.07
        for side in (-1.0, 1.0):
            end = (
                middle
                - down * rng.uniform(0.8, 2)
                + (outer[1] - outer[0]) * side * rng.uniform(0.05, 0.6)
            )
            band = np.array(
                [end - across, end + across, middle + across, middle - across], np.float32
            )
            if not _hits(band, avoid):
                paste.paste(rng, picture, paste.soft_rect(rng, 16, 60, strap, 0), band)
    clear = paste.soft_rect(
        rng, 60, 60, pick(rng, ((235, 238, 240), (200, 205, 210), (30, 30, 34))), 0.06
    )
    clear[..., 3] = (clear[..., 3] * rng.uniform(0.3, 1)).astype(np.uint8)
    paste.paste(rng, picture, clear, outer, Look(shadow=0.3))


def pocket(rng: Rng, picture: Image8, quad: FloatArray) -> None:
    """The edge of a wallet's pocket over the lower part of the object."""
    edge = rng.uniform(0.6, 0.88)
    outer = paste.between(
        quad,
        np.array(
            [[-0.06, edge], [1.06, edge + rng.normal(0, 0.03)], [1.06, 1.25], [-0.06, 1.25]],
            np.float32,
        ),
    )
    paste.paste(
        rng,
        picture,
        paste.soft_rect(rng, 120, 50, pick(rng, LEATHER), 0.02),
        outer,
        Look(shadow=0.3),
    )


def bumper(rng: Rng, picture: Image8, quad: FloatArray, avoid: list[FloatArray]) -> None:
    """Car bodywork around a plate: paint, a grille or boot line, lamps, a dark frame."""
    body = np.empty((90, 160, 3), np.uint8)
    body[:] = pick(rng, PAINTS)
    shade = np.interp(np.arange(90), [0, 30, 60, 90], rng.uniform(0.55, 1.2, 4))
    body = np.clip(body * shade[:, None, None], 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        y, h = int(rng.integers(0, 84)), int(rng.integers(1, 16))
        body[y : y + h] = pick(rng, ((20, 20, 22), (60, 60, 64), (180, 182, 186)))
    if chance(rng, 0.5):
        tone, h = (
            pick(rng, ((190, 20, 24), (245, 240, 220), (240, 150, 40))),
            int(rng.integers(10, 26)),
        )
        y = int(rng.integers(0, 60))
        body[y : y + h, : int(rng.integers(12, 34))] = tone
        body[y : y + h, -int(rng.integers(12, 34)) :] = tone
    patch = ink.finish(body, 160, float(rng.uniform(0, 0.2)))
    left, right = -rng.uniform(0.15, 1.6, 2) * (1, -1)
    top, bottom = rng.uniform(0.3, 2.5, 2)
    outer = paste.between(
        quad,
        np.array(
            [[left, -top], [1 + right, -top], [1 + right, 1 + bottom], [left, 1 + bottom]],
            np.float32,
        ),
    )
    if _hits(outer, avoid):
        return
    level = float(np.clip((picture[::8, ::8].mean() / 130) ** 0.6, 0.25, 1.2))
    paste.paste(
        rng,
        picture,
        patch,
        outer,
        Look(
            (level, level, level),
            (float(rng.normal(0, 0.1)), 0.0),
            glare=float(rng.uniform(0, 0.4)),
            shadow=0.3,
        ),
    )
    if chance(rng, 0.5):
        rim = rng.uniform(0.02, 0.1)
        frame = paste.between(
            quad,
            np.array(
                [
                    [-rim * 0.4, -rim],
                    [1 + rim * 0.4, -rim],
                    [1 + rim * 0.4, 1 + rim * 1.5],
                    [-rim * 0.4, 1 + rim * 1.5],
                ],
                np.float32,
            ),
        )
        paste.paste(
            rng,
            picture,
            paste.soft_rect(rng, 80, 24, (18, 18, 20), 0.1),
            frame,
            Look((level, level, level)),
        )
