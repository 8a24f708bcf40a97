"""Filling the parts of an identity card: title, data, portrait, security prints, codes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from training.render import fonts, ink, people, portraits, words
from training.render.ink import Box, Colour, Sheet
from training.render.patch import Image8
from training.render.words import chance, pick

CARD = 1.586
BLACK = (22, 22, 30)
NO_BOX: Box = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Layout:
    """All boxes in shares of the card. head: title; face: portrait; fields: lines of data; extras:
    (kind, box) of everything else; grounds: base colours; back: no portrait by design."""

    face: Box = NO_BOX
    head: Box = (0.04, 0.04, 0.96, 0.16)
    fields: Box = (0.36, 0.22, 0.96, 0.9)
    extras: tuple[tuple[str, Box], ...] = ()
    grounds: tuple[Colour, ...] = (
        (226, 236, 240),
        (238, 230, 236),
        (240, 238, 224),
        (222, 234, 224),
    )
    scripts: tuple[str, ...] = ("latin",)
    ratio: float = CARD
    rows: int = 6
    weight: float = 1.0
    split: str = "train"


class Writer:
    """Draws one card; holds what its parts share."""

    def __init__(self, sheet: Sheet, layout: Layout, script: str, ground: Colour) -> None:
        self.sheet, self.layout, self.script, self.ground = sheet, layout, script, ground
        self.rng = sheet.rng
        styles = {
            "korean": ("korean", "korean_bold"),
            "han": ("han", "han_bold"),
            "arabic": ("arabic", "arabic_bold"),
        }
        plain, bold = styles.get(script, (pick(self.rng, ("sans", "sans", "narrow")), "bold"))
        self.plain, self.bold = sheet.font(plain), sheet.font(bold)
        self.accent = ink.vivid(self.rng, float(self.rng.uniform(0.3, 0.8)))
        self.face = people.portrait(self.rng, sheet.split)

    def at(self, box: Box) -> Box:
        return ink.part(self.sheet.box, *box)

    def extra(self, kind: str, box: Box) -> None:
        getattr(self, f"extra_{kind}")(self.at(box))

    def title(self) -> str:
        if self.script == "korean":
            return pick(self.rng, words.TITLES_KO)
        if self.script == "han":
            return pick(self.rng, words.TITLES_HAN)
        if self.script in ("arabic", "cyrillic"):
            return words.phrase(self.rng, self.script, 2)
        return pick(self.rng, words.TITLES)

    def fields(self, box: Box) -> None:
        """Data lines: a small caption above or before each value."""
        rows = self.layout.rows
        if chance(self.rng, 0.35):  # finer print
            rows = int(rows * self.rng.uniform(1.2, 2.2))
        captions, over = chance(self.rng, 0.75), chance(self.rng, 0.5)
        step = (box[3] - box[1]) / rows
        bold_row = int(self.rng.integers(rows)) if chance(self.rng, 0.6) else -1
        for i in range(rows):
            row = (box[0], box[1] + i * step, box[2], box[1] + (i + 0.92) * step)
            if captions and over:
                self.sheet.text(
                    ink.part(row, 0, 0.02, 0.5, 0.3),
                    words.phrase(self.rng, self.script, 2),
                    self.plain,
                    self.accent,
                )
                row = ink.part(row, 0, 0.38, 1, 1)
            elif captions:
                self.sheet.text(
                    ink.part(row, 0, 0.3, 0.16, 0.7),
                    words.phrase(self.rng, self.script, 1),
                    self.plain,
                    self.accent,
                )
                row = ink.part(row, 0.2, 0.1, 1, 0.9)
            script = self.script if chance(self.rng, 0.6) else "latin"
            value = pick(
                self.rng,
                (
                    words.name(self.rng, script).upper(),
                    words.address(self.rng, script),
                    words.date(self.rng),
                    words.code(self.rng, "A0000000"),
                    words.code(self.rng, "000000-0000000"),
                    f"{words.date(self.rng)}   {words.letters(self.rng, 1)}",
                ),
            )
            font = (
                self.bold
                if i == bold_row or (script == "latin" and chance(self.rng, 0.3))
                else self.plain
            )
            self.sheet.text(
                ink.part(row, 0, 0.08, self.rng.uniform(0.5, 1), 0.92), value, font, BLACK
            )

    def head(self, box: Box, filled: bool) -> None:
        tone = (
            (250, 250, 250)
            if filled
            else pick(self.rng, (BLACK, self.accent, (20, 40, 110), (150, 30, 40)))
        )
        right = self.rng.uniform(0.5, 1)
        self.sheet.text(
            ink.part(box, 0.02, 0, right, 1),
            self.title(),
            self.bold,
            tone,
            pick(self.rng, ("left", "centre")),
        )

    def portrait(self, box: Box, look: str) -> None:
        face = self.face
        if look == "dim":
            face = portraits.fade(
                self.rng, face, portraits.shade(self.ground, self.rng.uniform(0.5, 1))
            )
        elif look == "odd":
            face = self._odd_face()
        size = (int(box[2] - box[0]), int(box[3] - box[1]))
        small = cv2.resize(face, size, interpolation=cv2.INTER_AREA)
        self.sheet.paste(box, np.asarray(small, np.uint8))
        if chance(self.rng, 0.3):
            self.sheet.rect(box, None, pick(self.rng, (BLACK, self.accent, (230, 230, 230))), 3)

    def _odd_face(self) -> Image8:
        """A picture that barely reads as a face: covered, off-centre, blown out, a drawing."""
        face = self.face
        way = int(self.rng.integers(4))
        if way == 0:
            face = np.roll(face, int(self.rng.integers(-60, 60)), axis=1)
        elif way == 1:
            face = np.clip(face.astype(np.int16) + 90, 0, 255).astype(np.uint8)
        elif way == 2:
            face = np.asarray(cv2.applyColorMap(face, int(self.rng.integers(0, 12))), np.uint8)
        else:
            few = cv2.resize(face, (6, 8), interpolation=cv2.INTER_AREA)
            face = np.asarray(cv2.resize(few, (150, 190)), np.uint8)
        return face

    def overprint(self) -> None:
        """A word across the card, as on samples and voided cards."""
        wide, high = self.sheet.image.size
        word = pick(self.rng, ("SPECIMEN", "SAMPLE", "VOID", "MUSTER", "견본", "見本"))
        layer = Image.new("L", (wide, high))
        font = fonts.load(self.sheet.font("han_bold"), int(wide / max(len(word), 4) * 1.1))
        draw = ImageDraw.Draw(layer)
        draw.text((wide * 0.1, high * 0.35), word, font=font, fill=int(self.rng.integers(60, 220)))
        turned = layer.rotate(float(self.rng.uniform(-5, 35)), Image.Resampling.BILINEAR)
        tone = pick(self.rng, ((200, 40, 50), (90, 90, 100), (30, 60, 160)))
        self.sheet.image.paste(tone, (0, 0), turned)

    def extra_ghost(self, box: Box) -> None:
        faded = portraits.fade(self.rng, self.face, self.ground)
        size = (max(int(box[2] - box[0]), 4), max(int(box[3] - box[1]), 4))
        small = cv2.resize(faded, size, interpolation=cv2.INTER_AREA)
        self.sheet.paste(box, np.asarray(small, np.uint8))

    def extra_wave(self, box: Box) -> None:
        for _ in range(int(self.rng.integers(1, 4))):
            top = self.rng.uniform(0, 0.6)
            tone = portraits.shade(self.ground, self.rng.uniform(0.78, 0.95))
            self.sheet.guilloche(
                ink.part(box, 0, top, 1, top + self.rng.uniform(0.2, 0.4)),
                tone,
                int(self.rng.integers(4, 14)),
                2,
            )

    def extra_hill(self, box: Box) -> None:
        xs = np.linspace(box[0], box[2], 16)
        for i in range(int(self.rng.integers(1, 4))):
            ys = box[1] + (box[3] - box[1]) * (0.2 + 0.25 * i + 0.12 * self.rng.normal(0, 1, 16))
            points = [
                (box[0], box[3]),
                *zip(xs.tolist(), ys.tolist(), strict=True),
                (box[2], box[3]),
            ]
            self.sheet.draw.polygon(
                points, portraits.shade(self.ground, self.rng.uniform(0.8, 1.05))
            )

    def extra_bar(self, box: Box) -> None:
        self.sheet.rect(box, self.accent)

    def extra_block(self, box: Box) -> None:
        self.sheet.rect(box, self.accent)

    def extra_goldband(self, box: Box) -> None:
        self.sheet.rect(box, pick(self.rng, ((240, 205, 90), (120, 190, 230), (140, 200, 120))))
        self.sheet.text(ink.inset(box, 0.15), words.date(self.rng), self.bold, BLACK)

    def extra_stripe(self, box: Box) -> None:
        self.sheet.rect(box, (28, 26, 26))

    def extra_redline(self, box: Box) -> None:
        self.sheet.rect(box, (200, 40, 40))

    def extra_tricolour(self, box: Box) -> None:
        tones = pick(
            self.rng,
            (
                ((240, 150, 60), (250, 250, 250), (60, 150, 70)),
                ((250, 210, 50), (40, 70, 160), (200, 40, 50)),
            ),
        )
        for i, tone in enumerate(tones):
            self.sheet.rect(ink.part(box, 0, i / 3, 1, (i + 1) / 3), tone)

    def extra_flag(self, box: Box) -> None:
        self.sheet.rect(box, pick(self.rng, ((24, 60, 150), (200, 40, 50), (40, 120, 70))))
        self.sheet.text(
            ink.inset(box, 0.25),
            words.letters(self.rng, int(self.rng.integers(1, 4))),
            self.bold,
            (245, 230, 120),
            "centre",
        )

    def extra_mark(self, box: Box) -> None:
        self.sheet.draw.ellipse(
            box, fill=pick(self.rng, ((220, 180, 60), self.accent, (240, 240, 240)))
        )

    def extra_chip(self, box: Box) -> None:
        gold = pick(self.rng, ((218, 184, 96), (204, 204, 206), (228, 200, 120)))
        self.sheet.rect(box, gold, (120, 100, 60), 2, 12)
        for i in (0.33, 0.66):
            self.sheet.draw.line(
                [
                    (box[0], box[1] + (box[3] - box[1]) * i),
                    (box[2], box[1] + (box[3] - box[1]) * i),
                ],
                (120, 100, 60),
                2,
            )

    def extra_seal(self, box: Box) -> None:
        tone = pick(self.rng, ((200, 40, 50), (210, 170, 70), self.accent))
        for share in (0, 0.15, 0.3):
            self.sheet.draw.ellipse(ink.inset(box, share), outline=tone, width=4)

    def extra_foil(self, box: Box) -> None:
        """Rainbow foil that shifts over the ground."""
        wide, high = max(int(box[2] - box[0]), 4), max(int(box[3] - box[1]), 4)
        hue = (ink.soft_noise(self.rng, high, wide, 4) * 40 + self.rng.integers(180)) % 180
        hsv = np.dstack([hue, np.full_like(hue, 90), np.full_like(hue, 245)]).astype(np.uint8)
        foil = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)
        x, y = int(box[0]), int(box[1])
        under = np.array(self.sheet.image.crop((x, y, x + wide, y + high)), np.float32)
        shape = np.clip(ink.soft_noise(self.rng, high, wide, 3), 0, 1)[
            ..., None
        ] * self.rng.uniform(0.3, 0.8)
        self.sheet.paste(box, (under + (foil - under) * shape).astype(np.uint8))

    def extra_sign(self, box: Box) -> None:
        self.sheet.scribble(box, (30, 30, 50), 4, 4)

    def extra_stampline(self, box: Box) -> None:
        self.sheet.text(
            ink.part(box, 0, 0, 0.4, 0.4), words.date(self.rng), self.plain, BLACK, "centre"
        )
        self.sheet.text(
            ink.part(box, 0, 0.5, 0.7, 1),
            words.phrase(self.rng, self.script, 3),
            self.bold,
            BLACK,
            "centre",
        )
        side = box[3] - box[1]
        self.sheet.rect(
            (box[0] + side * 5, box[1], box[0] + side * 6, box[3]), None, (205, 40, 40), 5
        )

    def extra_under(self, box: Box) -> None:
        self.sheet.rect(box, (200, 40, 40))
        self.sheet.text(
            ink.inset(box, 0.2),
            f"UNDER 21 UNTIL {words.date(self.rng)}",
            self.bold,
            (250, 250, 250),
            "centre",
        )

    def extra_numbers(self, box: Box) -> None:
        fields = self.at(self.layout.fields)
        for i in range(self.layout.rows):
            y = fields[1] + (fields[3] - fields[1]) * i / self.layout.rows
            self.sheet.text(
                (fields[0] - 14, y + 4, fields[0] - 2, y + 18), str(i + 1), self.plain, self.accent
            )
        self.sheet.rect(box)

    def extra_bignumber(self, box: Box) -> None:
        text = words.code(
            self.rng,
            pick(
                self.rng, ("000000000000000000", "0000 0000 0000", "000000-00-0000", "A000000000")
            ),
        )
        self.sheet.text(box, text, self.bold, BLACK, "centre")

    def extra_barcode(self, box: Box) -> None:
        self.sheet.rect(box, (250, 250, 250))
        self.sheet.barcode(ink.inset(box, 0.08))

    def extra_square(self, box: Box) -> None:
        self.sheet.rect(box, (250, 250, 250))
        self.sheet.square_code(ink.inset(box, 0.06))

    def extra_stack(self, box: Box) -> None:
        """Several rows of narrow modules, like a stacked barcode."""
        rows = int(self.rng.integers(6, 16))
        for i in range(rows):
            self.sheet.barcode(ink.part(box, 0, i / rows, 1, (i + 1) / rows))

    def extra_grid(self, box: Box) -> None:
        for cell in self.sheet.table(
            box, int(self.rng.integers(3, 11)), int(self.rng.integers(3, 6)), self.accent
        ):
            if chance(self.rng, 0.5):
                self.sheet.text(
                    cell,
                    pick(self.rng, (words.date(self.rng), words.letters(self.rng, 2))),
                    self.plain,
                    BLACK,
                )

    def extra_finger(self, box: Box) -> None:
        for i in range(6):
            self.sheet.draw.ellipse(ink.inset(box, i * 0.08), outline=(60, 60, 70), width=3)

    def extra_slot(self, box: Box) -> None:
        self.sheet.rect(box, (60, 60, 60), radius=8)

    def extra_page(self, box: Box) -> None:
        self.sheet.rect(box, portraits.shade(self.ground, self.rng.uniform(0.9, 1.05)))
        self.sheet.lines(
            ink.inset(box, 0.15),
            [words.phrase(self.rng, self.script, 7) for _ in range(6)],
            self.plain,
            self.accent,
            18,
        )
        self.sheet.draw.line(
            [(box[0], box[3]), (box[2], box[3])], portraits.shade(self.ground, 0.6), 8
        )

    def _mrz(self, box: Box, rows: int, length: int) -> None:
        if chance(self.rng, 0.5):
            self.sheet.rect((0, box[1] - 6, self.sheet.box[2], self.sheet.box[3]), (248, 248, 248))
        font = self.sheet.font("mono")
        for i in range(rows):
            row = ink.part(box, 0, i / rows + 0.03, 1, (i + 1) / rows - 0.06)
            self.sheet.text(row, words.machine_line(self.rng, length), font, BLACK, stretch=True)

    def extra_mrz2(self, box: Box) -> None:
        self._mrz(box, 2, 44)

    def extra_mrz3(self, box: Box) -> None:
        self._mrz(box, 3, 30)
