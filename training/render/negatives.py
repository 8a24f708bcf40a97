"""Things that resemble plates, cards and labels and must not be found: covers, signs, screens."""

from __future__ import annotations

import cv2
import numpy as np

from training.render import ink, people, portraits, prints, shapes, words
from training.render.ink import Box, Sheet
from training.render.patch import Image8, Patch
from training.render.prints import BLACK, FONTS, LONG_SIDE, SCRIPTS, WHITE, contrast, ground, style
from training.render.words import Rng, chance, pick


def bank_card(rng: Rng) -> Image8:
    sheet = Sheet(rng, 720, 454, ink.colour(rng), "train")
    ground(rng, sheet)
    tone = contrast(rng, sheet)
    ink.brand(
        sheet,
        ink.part(sheet.box, *pick(rng, ((0.05, 0.06, 0.5, 0.2), (0.5, 0.06, 0.95, 0.2)))),
        "latin",
        tone,
    )
    if chance(rng, 0.8):
        chip = ink.part(sheet.box, 0.09, 0.34, 0.22, 0.54)
        sheet.rect(chip, pick(rng, ((218, 184, 96), (204, 204, 206))), (120, 100, 60), 3, 12)
    if chance(rng, 0.7):
        sheet.text(
            ink.part(sheet.box, 0.08, 0.58, 0.92, 0.72),
            words.code(rng, "0000 0000 0000 0000"),
            sheet.font("mono"),
            tone,
        )
        sheet.text(
            ink.part(sheet.box, 0.08, 0.8, 0.5, 0.9),
            words.name(rng, "latin").upper(),
            sheet.font("sans"),
            tone,
        )
    for i in range(int(rng.integers(0, 3))):
        sheet.draw.ellipse(
            ink.part(sheet.box, 0.74 + 0.08 * i, 0.72, 0.87 + 0.08 * i, 0.92),
            fill=ink.vivid(rng, 0.9),
        )
    return ink.finish(sheet.pixels(), LONG_SIDE, 0.07)


def cover(rng: Rng) -> Image8:
    """A book, poster or packet: artwork, a title, small words, perhaps a code."""
    ratio = rng.uniform(0.6, 1.6)
    sheet = Sheet(rng, 600, int(600 / ratio), ink.colour(rng), "train")
    ground(rng, sheet)
    script = pick(rng, SCRIPTS)
    for _ in range(int(rng.integers(0, 7))):
        x, y, w, h = rng.uniform(0, 0.8, 4)
        shape = pick(rng, (sheet.draw.ellipse, sheet.draw.rectangle))
        shape(
            ink.part(sheet.box, x, y, x + w * 0.6 + 0.02, y + h * 0.6 + 0.02), fill=ink.colour(rng)
        )
    if chance(rng, 0.25):
        x = rng.uniform(0, 0.4)
        sheet.paste(ink.part(sheet.box, x, 0.3, x + 0.6, 1), portraits.portrait(rng))
    for y in (0.06, 0.2, 0.8)[: int(rng.integers(1, 4))]:
        sheet.text(
            ink.part(sheet.box, 0.08, y, 0.92, y + rng.uniform(0.06, 0.15)),
            words.phrase(rng, script, int(rng.integers(1, 4))),
            sheet.font(style(rng, script)),
            contrast(rng, sheet),
            pick(rng, ("left", "centre")),
        )
    if chance(rng, 0.3):
        spot = ink.part(sheet.box, 0.6, 0.86, 0.94, 0.97)
        sheet.rect(spot, WHITE)
        sheet.barcode(ink.inset(spot, 0.1))
    return sheet.pixels()


def photograph(rng: Rng) -> Image8:
    """A face without a card: a framed photo, a profile on a screen."""
    face = portraits.portrait(rng)
    rim = int(rng.integers(0, 25))
    tone = pick(rng, (WHITE, BLACK, (120, 80, 50)))
    framed = cv2.copyMakeBorder(face, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=tone)
    return np.asarray(framed, np.uint8)


def receipt(rng: Rng) -> Image8:
    sheet = Sheet(rng, 260, int(rng.integers(500, 900)), (244, 244, 240), "train")
    script = pick(rng, ("latin", "latin", "korean"))
    font, grey = sheet.font("mono" if script == "latin" else "korean"), (60, 60, 66)
    sheet.text(
        ink.part(sheet.box, 0.2, 0.02, 0.8, 0.07),
        words.company(rng),
        sheet.font("bold"),
        grey,
        "centre",
    )
    rows = int(rng.integers(15, 40))
    for i in range(rows):
        y = 0.1 + 0.85 * i / rows
        sheet.text(
            ink.part(sheet.box, 0.06, y, 0.6, y + 0.55 / rows),
            words.phrase(rng, script, 2),
            font,
            grey,
        )
        sheet.text(
            ink.part(sheet.box, 0.7, y, 0.94, y + 0.55 / rows),
            words.code(rng, "00.00"),
            font,
            grey,
            "right",
        )
    return sheet.pixels()


def page(rng: Rng) -> Image8:
    """Running text: a newspaper, a manual, a page of a book."""
    sheet = Sheet(rng, 500, int(rng.integers(350, 720)), ink.paper(rng), "train")
    script, columns = pick(rng, SCRIPTS[:5]), int(rng.integers(1, 4))
    font = sheet.font(FONTS.get(script, "serif").removesuffix("_bold"))
    sheet.text(
        ink.part(sheet.box, 0.06, 0.03, 0.9, 0.12),
        words.phrase(rng, script, 3),
        sheet.font(style(rng, script)),
        BLACK,
    )
    for c in range(columns):
        box = ink.part(
            sheet.box, 0.05 + 0.9 * c / columns, 0.16, 0.05 + 0.9 * (c + 0.92) / columns, 0.96
        )
        if chance(rng, 0.3):
            half = ink.part(box, 0, 0, 1, 0.4)
            sheet.rect(half, ink.colour(rng))
            box = ink.part(box, 0, 0.45, 1, 1)
        sheet.lines(
            box,
            [words.phrase(rng, script, 9 // columns + 1) for _ in range(34)],
            font,
            (50, 50, 54),
            11,
        )
    return sheet.pixels()


def screen(rng: Rng) -> Image8:
    """A phone, tablet or monitor with tiles, a chat or a list."""
    wide, high = pick(rng, ((300, 620), (620, 300), (640, 400), (480, 620)))
    sheet = Sheet(rng, wide, high, (14, 14, 16), "train")
    glass = ink.inset(sheet.box, 0.05)
    sheet.rect(
        glass, ink.colour(rng, 0, 60) if chance(rng, 0.4) else ink.colour(rng, 200, 255), radius=14
    )
    script = pick(rng, ("latin", "korean"))
    font = sheet.font("sans" if script == "latin" else "korean")
    rows, columns = int(rng.integers(3, 9)), int(rng.integers(1, 5))
    for r in range(rows):
        for c in range(columns):
            cell = ink.inset(
                ink.part(glass, c / columns, r / rows, (c + 1) / columns, (r + 1) / rows), 0.14
            )
            if chance(rng, 0.6):
                sheet.rect(cell, ink.colour(rng), radius=10)
            if chance(rng, 0.6):
                sheet.text(
                    ink.part(cell, 0.05, 0.3, 0.9, 0.65),
                    words.phrase(rng, script, 2),
                    font,
                    ink.colour(rng),
                )
    return ink.finish(sheet.pixels(), LONG_SIDE, 0.08)


def sign(rng: Rng) -> Image8:
    """Road signs and street names."""
    kind = int(rng.integers(3))
    if kind == 0:  # round or triangular
        sheet = Sheet(rng, 300, 300, (0, 0, 0), "train")
        rim, middle = pick(
            rng,
            (
                ((200, 30, 40), WHITE),
                ((30, 80, 170), (30, 80, 170)),
                ((200, 30, 40), (200, 30, 40)),
            ),
        )
        sheet.draw.ellipse((4, 4, 296, 296), fill=rim)
        sheet.draw.ellipse((34, 34, 266, 266), fill=middle)
        text = pick(rng, (words.digits(rng, 2), "STOP", "P", words.digits(rng, 1) + "0"))
        sheet.text(
            (70, 90, 230, 210),
            text,
            sheet.font("bold"),
            BLACK if middle == WHITE else WHITE,
            "centre",
        )
        round_mask = np.zeros((300, 300), np.uint8)
        cv2.circle(round_mask, (150, 150), 147, 255, -1)
        return np.dstack([sheet.pixels(), round_mask])
    sheet = Sheet(
        rng,
        int(rng.integers(360, 720)),
        int(rng.integers(110, 400)),
        pick(rng, ((24, 90, 60), (26, 70, 150), WHITE, (250, 200, 40), (120, 60, 30))),
        "train",
    )
    tone, rows = contrast(rng, sheet), 1 if kind == 1 else int(rng.integers(2, 4))
    for i in range(rows):
        script = pick(rng, ("latin", "latin", "korean", "han", "arabic"))
        tail = pick(rng, ("", words.digits(rng, 2), "St", "→", "←", "↑"))
        text = f"{words.phrase(rng, script, 1).title()} {tail}"
        sheet.text(
            ink.part(sheet.box, 0.06, (i + 0.15) / rows, 0.94, (i + 0.85) / rows),
            text,
            sheet.font(FONTS.get(script, "bold")),
            tone,
            "centre",
        )
    sheet.rect(ink.inset(sheet.box, 0.03), None, tone, 5, 12)
    return ink.finish(sheet.pixels(), LONG_SIDE, 0.06)


def product(rng: Rng) -> Image8:
    """The back of a packet: colour, small print, a table and a barcode patch."""
    sheet = Sheet(rng, 500, int(rng.integers(350, 700)), ink.colour(rng, 40, 250), "train")
    tone, script = contrast(rng, sheet), pick(rng, SCRIPTS)
    ink.brand(
        sheet,
        ink.part(sheet.box, 0.06, 0.04, 0.94, 0.18),
        "korean" if script == "korean" else "latin",
        tone,
    )
    font = sheet.font(FONTS.get(script, "sans").removesuffix("_bold"))
    sheet.lines(
        ink.part(sheet.box, 0.06, 0.24, 0.55, 0.95),
        [words.phrase(rng, script, 5) for _ in range(20)],
        font,
        tone,
        13,
    )
    sheet.table(ink.part(sheet.box, 0.6, 0.24, 0.94, 0.6), 6, 2, tone)
    spot = ink.part(sheet.box, 0.6, 0.68, 0.94, 0.94)
    sheet.rect(spot, WHITE)
    sheet.barcode(ink.inset(spot, 0.1))
    return sheet.pixels()


def keyboard(rng: Rng) -> Image8:
    base = ink.colour(rng, 10, 60) if chance(rng, 0.5) else ink.colour(rng, 190, 240)
    sheet = Sheet(rng, 720, 260, base, "train")
    tone, font = contrast(rng, sheet), sheet.font("sans")
    for r in range(4):
        for c in range(13):
            key: Box = ink.inset(
                ink.part(sheet.box, (c + r * 0.2) / 14, r / 4, (c + r * 0.2 + 1) / 14, (r + 1) / 4),
                0.08,
            )
            sheet.rect(key, portraits.shade(base, 1.25), portraits.shade(base, 0.7), 2, 6)
            sheet.text(ink.inset(key, 0.3), words.letters(rng, 1), font, tone)
    return sheet.pixels()


def price_tag(rng: Rng) -> Image8:
    """Shelf labels, tags and name-less white slips."""
    sheet = Sheet(
        rng,
        int(rng.integers(300, 480)),
        int(rng.integers(110, 260)),
        pick(rng, (WHITE, (250, 225, 60), (235, 60, 50))),
        "train",
    )
    tone, script = contrast(rng, sheet), pick(rng, ("latin", "korean", "han"))
    sheet.text(
        ink.part(sheet.box, 0.05, 0.08, 0.9, 0.35),
        words.phrase(rng, script, 2),
        sheet.font(FONTS.get(script, "sans")),
        tone,
    )
    sheet.text(
        ink.part(sheet.box, 0.3, 0.4, 0.95, 0.92),
        words.code(rng, pick(rng, ("0.00", "00,000", "00.00"))),
        sheet.font("bold"),
        tone,
        "right",
    )
    return sheet.pixels()


PAINTERS = {
    prints.word_line: 5.0,
    prints.words_only: 4.0,
    prints.code_print: 2.5,
    prints.care_sticker: 2.5,
    prints.tape: 1.2,
    bank_card: 3.0,
    cover: 2.5,
    sign: 2.0,
    photograph: 1.5,
    screen: 1.5,
    product: 1.5,
    price_tag: 1.2,
    page: 0.8,
    receipt: 0.7,
    keyboard: 0.6,
    shapes.blob: 4.0,
    shapes.polygon: 2.0,
    shapes.stripes: 1.8,
    shapes.panel: 1.2,
    shapes.facade: 2.5,
}


def paint(rng: Rng, split: str) -> Patch:
    """Draw one object that belongs to no class; the same families serve every split."""
    painters, weights = list(PAINTERS), np.array(list(PAINTERS.values()))
    painter = painters[int(rng.choice(len(painters), p=weights / weights.sum()))]
    if painter is photograph and split == "train":
        painter = people.snapshot
    patch = ink.finish(painter(rng), LONG_SIDE)
    name = str(painter.__name__)
    return Patch(ink.wear(rng, patch, rng.uniform(0.1, 0.8)), f"{name}_{split}", "negative")
