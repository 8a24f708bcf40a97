"""Filling the blocks of a shipping label: addresses, codes, tables, handwriting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.render import ink, words
from training.render.ink import Box, Colour, Sheet
from training.render.layouts import Plan
from training.render.words import chance, pick

BLACK = (12, 12, 14)


class Writer:
    """Fills the blocks of one label; holds what all of them share."""

    def __init__(self, sheet: Sheet, script: str, form: Colour | None) -> None:
        self.sheet = sheet
        self.rng = sheet.rng
        self.script = script
        self.form = form
        self.ink: Colour = BLACK
        hangul = {"korean": ("korean", "korean_bold"), "han": ("han", "han_bold")}
        plain, bold = hangul.get(
            script, (pick(self.rng, ("sans", "sans", "narrow", "mono", "serif")), "bold")
        )
        self.plain, self.bold = sheet.font(plain), sheet.font(bold)
        self.pen: Colour = pick(self.rng, (BLACK, (25, 40, 130), (40, 40, 50), (170, 30, 30)))
        self.framed = chance(self.rng, 0.6)
        self.width = int(self.rng.integers(1, 5))

    def fill(self, box: Box, plan: Plan | str) -> None:
        if isinstance(plan, str):
            if self.framed and plan != "blank":
                self.sheet.rect(box, None, self.form or self.ink, self.width)
            getattr(self, f"block_{plan}")(ink.inset(box, 0.07))
            return
        weights = np.array([part[0] for part in plan[1:]]) * self.rng.uniform(
            0.7, 1.4, len(plan) - 1
        )
        cuts = np.concatenate([[0], np.cumsum(weights / weights.sum())]).tolist()
        for (_, child), a, b in zip(plan[1:], cuts[:-1], cuts[1:], strict=True):
            self.fill(
                ink.part(box, 0, a, 1, b) if plan[0] == "v" else ink.part(box, a, 0, b, 1), child
            )

    def block_blank(self, box: Box) -> None:
        if chance(self.rng, 0.15):
            self.sheet.text(
                ink.part(box, 0.1, 0.3, 0.6, 0.5), words.code(self.rng, "A000"), self.bold, self.ink
            )

    def block_brand(self, box: Box) -> None:
        ink.brand(
            self.sheet,
            box,
            self.script,
            self.form or (ink.vivid(self.rng, 0.7) if chance(self.rng, 0.3) else self.ink),
        )

    def block_band(self, box: Box) -> None:
        fill = self.form or pick(
            self.rng, ((250, 200, 20), (220, 40, 30), (30, 60, 160), BLACK, (240, 130, 20))
        )
        self.sheet.rect(box, fill)
        ink.brand(
            self.sheet,
            ink.inset(box, 0.12),
            self.script,
            (250, 250, 250) if sum(fill) < 400 else (200, 20, 20),
        )

    def block_bar(self, box: Box) -> None:
        self.sheet.rect(box, self.form or self.ink)
        if chance(self.rng, 0.6):
            text = words.phrase(self.rng, self.script, 2).upper()
            self.sheet.text(ink.inset(box, 0.18), text, self.bold, (250, 250, 250), "centre")

    def block_initial(self, box: Box) -> None:
        self.sheet.text(box, words.letters(self.rng, 1), self.bold, self.ink, "centre")

    def block_code(self, box: Box) -> None:
        text = words.code(
            self.rng,
            pick(
                self.rng,
                ("0000-0000-0000", "0000 0000 0000", "AA000000000AA", "1A 000 A00 00 0000", "A00"),
            ),
        )
        self.sheet.text(box, text, self.plain, self.ink, "centre")

    def block_bigcode(self, box: Box) -> None:
        text = words.code(
            self.rng,
            pick(self.rng, ("A00", "0A00-B0", "00 AA A", "AA0", "000-A00", "0000", "A0 00-0")),
        )
        if self.script == "korean" and chance(self.rng, 0.4):
            text = f"{pick(self.rng, words.HANGUL_PLACES)} {words.digits(self.rng, 3)}"
        self.sheet.text(box, text, self.bold, self.ink, "centre")

    def _upright(self, box: Box, block: Callable[[Box], None]) -> None:
        """Run `block` on a sheet turned by a quarter, then turn it into `box`."""
        wide, high = int(box[2] - box[0]), int(box[3] - box[1])
        if min(wide, high) < 4:
            return
        outer, self.sheet = (
            self.sheet,
            Sheet(self.rng, high, wide, outer_paper(self.sheet), self.sheet.split),
        )
        block((0, 0, high, wide))
        turned, self.sheet = self.sheet, outer
        self.sheet.image.paste(turned.image.rotate(90, expand=True), (int(box[0]), int(box[1])))

    def block_bigcode_up(self, box: Box) -> None:
        self._upright(box, self.block_bigcode)

    def block_code_up(self, box: Box) -> None:
        self._upright(box, self.block_code)

    def block_barcode_up(self, box: Box) -> None:
        self.sheet.barcode(box, self.ink, upright=True)

    def block_barcode(self, box: Box) -> None:
        gap = self.rng.uniform(0.02, 0.12)
        self.sheet.barcode(ink.part(box, gap, 0.05, 1 - gap, 0.8), self.ink)
        self.block_code(ink.part(box, 0.2, 0.84, 0.8, 1))

    def block_square(self, box: Box) -> None:
        self.sheet.square_code(box, self.ink, pick(self.rng, ("qr", "qr", "matrix")))

    def block_maxi(self, box: Box) -> None:
        self.sheet.square_code(box, self.ink, "maxi")

    def block_matrix_row(self, box: Box) -> None:
        count = int(self.rng.integers(2, 5))
        for i in range(count):
            if chance(self.rng, 0.85):
                self.sheet.square_code(
                    ink.part(box, i / count, 0, (i + 0.9) / count, 1), self.ink, "matrix"
                )

    def block_lines(self, box: Box) -> None:
        count = int(self.rng.integers(2, 6))
        texts = [
            words.phrase(self.rng, self.script, int(self.rng.integers(2, 7))) for _ in range(count)
        ]
        self.sheet.lines(box, texts, self.plain, self.ink, (box[3] - box[1]) / count / 1.35)

    def _address(self, box: Box, rows: int) -> None:
        heading = {"korean": ("받는분", "보내는분"), "han": ("お届け先", "收件", "寄件")}.get(
            self.script, ("SHIP TO:", "TO", "FROM:", "Deliver to")
        )
        texts = [
            words.name(self.rng, self.script),
            words.address(self.rng, self.script),
            words.town(self.rng),
            words.phone(self.rng),
            words.phrase(self.rng, self.script, 4),
        ]
        if chance(self.rng, 0.4):
            texts = [t.upper() for t in texts]
        size = (box[3] - box[1]) / rows / 1.3
        if chance(self.rng, 0.6):
            self.sheet.text(
                (box[0], box[1], box[2], box[1] + size * 0.7),
                pick(self.rng, heading),
                self.bold,
                self.form or self.ink,
            )
            box = (
                box[0] + (box[2] - box[0]) * self.rng.uniform(0, 0.2),
                box[1] + size,
                box[2],
                box[3],
            )
        self.sheet.lines(
            box, texts[:rows], pick(self.rng, (self.plain, self.bold)), self.ink, size, 1.25
        )

    def block_to(self, box: Box) -> None:
        self._address(box, int(self.rng.integers(3, 6)))

    def block_from(self, box: Box) -> None:
        self._address(box, int(self.rng.integers(3, 5)))

    def block_from_small(self, box: Box) -> None:
        self._address(ink.part(box, 0, 0, self.rng.uniform(0.4, 0.8), 1), 5)

    def block_table(self, box: Box) -> None:
        cells = self.sheet.table(
            box, int(self.rng.integers(2, 6)), int(self.rng.integers(2, 5)), self.form or self.ink
        )
        for cell in cells:
            if chance(self.rng, 0.75):
                text = pick(
                    self.rng,
                    (
                        words.phrase(self.rng, self.script, 1),
                        words.digits(self.rng, 4),
                        words.date(self.rng),
                    ),
                )
                self.sheet.text(ink.part(cell, 0.04, 0.15, 0.9, 0.8), text, self.plain, self.ink)

    def block_hand(self, box: Box) -> None:
        rows = int(self.rng.integers(2, 5))
        for i in range(rows):
            strokes = int(self.rng.integers(2, 7))
            self.sheet.scribble(
                ink.part(box, 0, i / rows, self.rng.uniform(0.6, 1), (i + 1) / rows),
                self.pen,
                strokes,
                int(self.rng.integers(2, 6)),
            )

    def block_handbox(self, box: Box) -> None:
        for i in range(4):
            row = ink.part(box, 0, i / 4, 1, (i + 1) / 4)
            self.sheet.draw.line(
                [(row[0], row[3]), (row[2], row[3])], fill=self.form or self.ink, width=2
            )
            self.sheet.text(
                ink.part(row, 0, 0, 0.2, 0.4),
                words.phrase(self.rng, self.script, 1),
                self.plain,
                self.form or self.ink,
            )
        self.block_hand(ink.part(box, 0.08, 0, 1, 1))

    def block_stamp(self, box: Box) -> None:
        red = pick(self.rng, ((200, 30, 40), (30, 40, 150)))
        side = min(box[2] - box[0], box[3] - box[1])
        ring = (box[0], box[1], box[0] + side, box[1] + side)
        self.sheet.draw.ellipse(ring, outline=red, width=4)
        self.sheet.text(
            ink.part(ring, 0.15, 0.35, 0.85, 0.65), words.date(self.rng), self.plain, red, "centre"
        )


def outer_paper(sheet: Sheet) -> Colour:
    pixel = sheet.image.getpixel((2, 2))
    assert isinstance(pixel, tuple)
    r, g, b = pixel
    return (int(r), int(g), int(b))
