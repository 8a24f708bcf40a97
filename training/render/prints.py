"""Words, codes, tapes and stickers as printed on boxes, shops, shirts: none names a person."""

from __future__ import annotations

import numpy as np

from training.render import ink, words
from training.render.ink import Sheet
from training.render.patch import Image8
from training.render.words import Rng, chance, pick

WHITE, BLACK = (245, 245, 245), (18, 18, 20)
SCRIPTS = ("latin", "latin", "latin", "korean", "han", "cyrillic", "arabic")
FONTS = {"korean": "korean_bold", "han": "han_bold", "arabic": "arabic_bold"}
LONG_SIDE = 288


def style(rng: Rng, script: str) -> str:
    return FONTS.get(script) or pick(rng, ("bold", "bold", "serif", "narrow", "sans"))


def ground(rng: Rng, sheet: Sheet) -> None:
    """A flat, shaded or blobby ground, as on printed covers."""
    wide, high = (int(v) for v in sheet.box[2:])
    first, second = (np.array(ink.colour(rng), np.float32) for _ in range(2))
    mix = (
        ink.soft_noise(rng, high, wide, int(rng.integers(2, 9)))
        if chance(rng, 0.5)
        else np.linspace(0, 1, high, dtype=np.float32)[:, None] * np.ones((1, wide), np.float32)
    )
    sheet.paste(
        sheet.box,
        np.clip(first + (second - first) * np.clip(mix, 0, 1)[..., None], 0, 255).astype(np.uint8),
    )


def contrast(rng: Rng, sheet: Sheet) -> ink.Colour:
    mean = np.array(sheet.image.resize((1, 1))).mean()
    return (
        pick(rng, (WHITE, (250, 230, 120)))
        if mean < 128
        else pick(rng, (BLACK, ink.vivid(rng, 0.4)))
    )


def word_line(rng: Rng) -> Image8:
    """A word or slogan in one line on a board, as on shops, vans, shelves and spines."""
    script = pick(rng, SCRIPTS)
    text = (
        words.phrase(rng, script, int(rng.integers(1, 4)))
        if chance(rng, 0.7)
        else words.company(rng)
    )
    text = text.upper() if chance(rng, 0.5) else text
    number = chance(rng, 0.12)
    text = words.code(rng, pick(rng, ("00", "0:00", "A0", "00.00"))) if number else text
    wide = int(np.clip(len(text) * rng.uniform(45, 75), 200, 900))
    sheet = Sheet(rng, wide, int(rng.integers(90, 170)), ink.colour(rng), "train")
    if chance(rng, 0.3):
        ground(rng, sheet)
    elif chance(rng, 0.35):
        sheet.rect(
            sheet.box,
            pick(rng, (WHITE, BLACK, (250, 210, 60), (30, 60, 150), (200, 40, 40), (40, 110, 70))),
        )
    sheet.text(
        ink.part(sheet.box, 0.05, 0.16, 0.95, 0.84),
        text,
        sheet.font(style(rng, script)),
        contrast(rng, sheet),
        "centre",
        chance(rng, 0.4),
    )
    if not number and chance(rng, 0.12):
        sheet.rect(ink.inset(sheet.box, 0.04), None, contrast(rng, sheet), 4)
    return sheet.pixels()


def words_only(rng: Rng) -> Image8:
    """Words without a ground of their own: prints on shirts, boxes, walls and vans."""
    script = pick(rng, SCRIPTS)
    lines = int(rng.integers(1, 4))
    sheet = Sheet(rng, int(rng.integers(300, 800)), 110 * lines, BLACK, "train")
    for i in range(lines):
        text = (
            words.company(rng)
            if chance(rng, 0.4)
            else words.phrase(rng, script, int(rng.integers(1, 3)))
        )
        sheet.text(
            ink.part(sheet.box, 0.02, i / lines, 0.98, (i + 0.85) / lines),
            text,
            sheet.font(style(rng, script)),
            WHITE,
            "centre",
        )
    alpha = sheet.pixels()[..., 0]
    tone = pick(rng, (BLACK, BLACK, WHITE, ink.vivid(rng, 0.6), (60, 40, 30)))
    colour = np.broadcast_to(np.array(tone, np.uint8), (*alpha.shape, 3))
    return np.dstack([colour, alpha])


def code_print(rng: Rng) -> Image8:
    """A barcode or square code printed straight onto a box or packet: dark modules, no sheet."""
    sheet = Sheet(rng, 400, int(rng.integers(120, 320)), BLACK, "train")
    if chance(rng, 0.6):
        sheet.barcode(ink.part(sheet.box, 0.04, 0.05, 0.96, 0.8), WHITE)
        sheet.text(
            ink.part(sheet.box, 0.2, 0.84, 0.8, 0.98),
            words.digits(rng, 13),
            sheet.font("sans"),
            WHITE,
            "centre",
        )
    else:
        sheet.square_code(ink.inset(sheet.box, 0.05), WHITE)
    alpha = (sheet.pixels()[..., 0] * rng.uniform(0.7, 1)).astype(np.uint8)
    colour = np.broadcast_to(
        np.array(pick(rng, ((30, 26, 24), (60, 45, 35), (40, 50, 110))), np.uint8),
        (*alpha.shape, 3),
    )
    return np.dstack([colour, alpha])


def care_sticker(rng: Rng) -> Image8:
    """Stickers and prints that name nobody: fragile, arrows, heavy, numbers, smileys."""
    sheet = Sheet(
        rng,
        int(rng.integers(240, 560)),
        int(rng.integers(160, 400)),
        pick(
            rng,
            ((220, 40, 40), (250, 220, 40), (250, 130, 30), (120, 210, 70), (40, 90, 180), BLACK),
        ),
        "train",
    )
    tone = contrast(rng, sheet)
    if chance(rng, 0.4):  # this side up
        for x in (0.2, 0.6):
            sheet.draw.polygon(
                [
                    ink.part(sheet.box, x, 0.45, 0, 0)[:2],
                    ink.part(sheet.box, x + 0.1, 0.12, 0, 0)[:2],
                    ink.part(sheet.box, x + 0.2, 0.45, 0, 0)[:2],
                ],
                tone,
            )
            sheet.rect(ink.part(sheet.box, x + 0.06, 0.45, x + 0.14, 0.85), tone)
    else:
        script = pick(rng, ("latin", "latin", "korean", "han"))
        sheet.text(
            ink.part(sheet.box, 0.08, 0.2, 0.92, 0.55),
            words.phrase(rng, script, 1).upper(),
            sheet.font(FONTS.get(script, "bold")),
            tone,
            "centre",
        )
        sheet.text(
            ink.part(sheet.box, 0.08, 0.62, 0.92, 0.85),
            words.phrase(rng, script, 3).upper(),
            sheet.font(FONTS.get(script, "bold")),
            tone,
            "centre",
        )
    return ink.finish(sheet.pixels(), LONG_SIDE, float(rng.uniform(0, 0.1)))


def tape(rng: Rng) -> Image8:
    """Printed packing tape: a strip with a repeated word or sign."""
    sheet = Sheet(
        rng,
        900,
        int(rng.integers(70, 130)),
        pick(rng, ((30, 34, 44), (190, 150, 100), (200, 30, 40), (40, 120, 90), WHITE)),
        "train",
    )
    tone, text, font = contrast(rng, sheet), words.company(rng), sheet.font("bold")
    count = int(rng.integers(2, 6))
    for i in range(count):
        sheet.text(
            ink.part(sheet.box, (i + 0.1) / count, 0.25, (i + 0.8) / count, 0.75), text, font, tone
        )
    return sheet.pixels()
