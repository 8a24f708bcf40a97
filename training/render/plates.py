"""License plates of many countries: invented numbers, own drawings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.render import ink, layouts, words
from training.render.ink import Colour, Sheet
from training.render.patch import Image8, Patch
from training.render.words import Rng, chance, pick

LONG_SIDE = 208
WHITE, BLACK = (242, 243, 244), (16, 16, 18)
YELLOW, BLUE, GREEN, RED = (248, 202, 40), (24, 62, 150), (20, 100, 60), (180, 30, 40)
HANGUL = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주하허호"
HANJA = "京沪津渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云陕甘青宁新"
KANJI = ("川森", "山本", "水戸", "松島", "北浜", "青木", "大空", "星野", "光", "森町")


@dataclass(frozen=True, slots=True)
class Plate:
    """ratio: width over height; rows: patterns top to bottom (0 digit, A letter, ㅎ hangul, 漢 a
    Chinese province, 木 a Japanese place, あ kana, ب Arabic letter, ٠ Arabic digit, w a word);
    heights: of the rows; band: place and colour of a stripe; art: chance of a drawn ground."""

    ratio: float
    rows: tuple[tuple[str, ...], ...]
    ground: tuple[Colour, ...] = (WHITE,)
    ink: tuple[Colour, ...] = (BLACK,)
    heights: tuple[float, ...] = (1.0,)
    band: tuple[str, Colour] | None = None
    font: str = "bold"
    art: float = 0.0
    weight: float = 1.0
    split: str = "train"


PLATES = {name: Plate(**fields) for name, fields in layouts.read("plates").items()}


def _free(rng: Rng) -> Plate:
    """A plate that nobody issues: any signs, any colours, so that no table is learnt by heart."""
    ratio = float(np.exp(rng.uniform(np.log(1.2), np.log(5.2))))
    lines = 1 if chance(rng, 0.85 if ratio > 2.6 else 0.35) else 2
    hangul = chance(rng, 0.3)
    band = (pick(rng, ("left", "both", "slim", "top", "right")), ink.vivid(rng))
    ground = pick(rng, (WHITE, ink.colour(rng, 200, 255), ink.vivid(rng, rng.uniform(0.2, 1))))
    tone = pick(rng, (BLACK, WHITE, ink.vivid(rng, rng.uniform(0.2, 1))))
    if abs(sum(ground) - sum(tone)) < 300:
        tone = WHITE if sum(ground) < 380 else BLACK
    return Plate(
        ratio,
        tuple((_signs(rng, "0ㅎ" if hangul else "0A", lines),) for _ in range(lines)),
        (ground,),
        (tone,),
        heights=tuple(rng.uniform(0.6, 1.4, lines)),
        band=band if chance(rng, 0.35) else None,
        font="korean_bold" if hangul else pick(rng, ("bold", "narrow")),
        art=0.25 if sum(tone) < 300 else 0.0,  # its hills are bright
    )


def _signs(rng: Rng, kinds: str, lines: int) -> str:
    """A pattern of one to four groups, fewer where there are several rows; sometimes a word."""
    if chance(rng, 0.04):
        return "w"
    groups = int(rng.integers(1, 5 - lines))
    parts = [pick(rng, kinds) * int(rng.integers(1, 5)) for _ in range(groups)]
    parts[0] += "0"  # a sign alone would fill the row
    return pick(rng, (" ", "-", "", "·")).join(parts)


def _row(rng: Rng, pattern: str) -> str:
    signs = {
        "0": lambda: words.digits(rng, 1),
        "A": lambda: words.letters(rng, 1),
        "ㅎ": lambda: pick(rng, HANGUL),
        "漢": lambda: pick(rng, HANJA),
        "木": lambda: pick(rng, KANJI),
        "あ": lambda: pick(rng, words.KANA),
        "ب": lambda: pick(rng, words.ARABIC),
        "٠": lambda: pick(rng, words.ARABIC_DIGITS),
        "w": lambda: pick(rng, words.PLAIN).upper(),
    }
    return "".join(signs[c]() if c in signs else c for c in pattern)


def _art(rng: Rng, sheet: Sheet) -> None:
    """Faint hills, skies and stripes behind the number, as on many graphic plates."""
    wide, high = sheet.box[2], sheet.box[3]
    top, bottom = (np.array(ink.colour(rng, 150, 255), float) for _ in range(2))
    ramp = np.linspace(0, 1, int(high))[:, None, None]
    sheet.paste(
        sheet.box, np.broadcast_to(top + (bottom - top) * ramp, (int(high), 4, 3)).astype(np.uint8)
    )
    for _ in range(int(rng.integers(0, 4))):
        xs = np.linspace(0, wide, 14)
        ys = high * (rng.uniform(0.35, 0.95) + 0.1 * rng.normal(0, 1, 14))
        points = [(0.0, high), *zip(xs.tolist(), ys.tolist(), strict=True), (wide, high)]
        sheet.draw.polygon(points, fill=ink.colour(rng, 130, 245))
    if chance(rng, 0.4):
        x, y, r = rng.uniform(0, wide), rng.uniform(0, high), rng.uniform(0.1, 0.4) * high
        sheet.draw.ellipse((x - r, y - r, x + r, y + r), fill=ink.colour(rng, 150, 255))


def _band(rng: Rng, sheet: Sheet, band: tuple[str, Colour]) -> ink.Box:
    """Draw the stripe and return what is left for the number."""
    place, fill = band
    box = sheet.box
    if place in ("left", "both", "slim"):
        share = 0.05 if place == "slim" else rng.uniform(0.07, 0.11)
        stripe = ink.part(box, 0, 0, share, 1)
        sheet.rect(stripe, fill)
        if place != "slim":
            sheet.draw.ellipse(
                ink.inset(ink.part(stripe, 0, 0.08, 1, 0.5), 0.15), outline=YELLOW, width=4
            )
            sheet.text(
                ink.part(stripe, 0.15, 0.6, 0.85, 0.9),
                words.letters(rng, int(rng.integers(1, 3))),
                sheet.font("bold"),
                WHITE,
                "centre",
            )
        box = ink.part(box, share, 0, 1, 1)
        if place == "both":
            sheet.rect(ink.part(sheet.box, 0.93, 0, 1, 1), fill)
            box = ink.part(sheet.box, share, 0, 0.93, 1)
    elif place == "top":
        share = rng.uniform(0.18, 0.3)
        sheet.rect(ink.part(box, 0, 0, 1, share), fill)
        if sheet.box[2] / sheet.box[3] < 1.5 or chance(rng, 0.3):
            box = ink.part(box, 0, share, 1, 1)
    elif place == "region":
        right = ink.part(box, 0.78, 0, 1, 1)
        sheet.draw.line([(right[0], 0), (right[0], box[3])], fill=BLACK, width=5)
        sheet.text(
            ink.part(right, 0.15, 0.12, 0.85, 0.6),
            words.digits(rng, 2),
            sheet.font("bold"),
            BLACK,
            "centre",
        )
        sheet.text(
            ink.part(right, 0.2, 0.7, 0.8, 0.9),
            words.letters(rng, 3),
            sheet.font("bold"),
            BLACK,
            "centre",
        )
        box = ink.part(box, 0, 0, 0.78, 1)
    else:
        side = (0.86, 1.0) if place == "right" or chance(rng, 0.5) else (0.0, 0.14)
        sheet.rect(ink.part(box, side[0], 0, side[1], 1), fill)
        sheet.text(
            ink.part(box, side[0] + 0.03, 0.3, side[1] - 0.03, 0.7),
            pick(rng, words.ARABIC),
            sheet.font("arabic_bold"),
            BLACK,
            "centre",
        )
        box = ink.part(box, 0, 0, 0.86, 1) if side[1] == 1 else ink.part(box, 0.14, 0, 1, 1)
    return box


def _draw(rng: Rng, split: str, plate: Plate) -> Image8:
    high = int(440 / max(plate.ratio / 2.2, 1))
    ground, tone = pick(rng, plate.ground), pick(rng, plate.ink)
    if abs(sum(ground) - sum(tone)) < 200:
        tone = WHITE if sum(ground) < 380 else BLACK
    sheet = Sheet(rng, int(high * plate.ratio * rng.uniform(0.93, 1.07)), high, ground, split)
    if chance(rng, plate.art):
        _art(rng, sheet)
    box = _band(rng, sheet, plate.band) if plate.band else sheet.box
    font = sheet.font(
        plate.font if plate.font != "bold" or chance(rng, 0.6) else pick(rng, ("narrow", "sans"))
    )
    pad = rng.uniform(0.05, 0.1)
    box = ink.part(box, pad / 2, pad, 1 - pad / 2, 1 - pad)
    cuts = np.concatenate([[0], np.cumsum(plate.heights)]) / sum(plate.heights)
    for patterns, a, b in zip(plate.rows, cuts[:-1], cuts[1:], strict=True):
        row = ink.part(box, 0, float(a), 1, float(b))
        gap = rng.uniform(0.04, 0.1)
        text = _row(rng, pick(rng, patterns))
        small = b - a < 0.25
        band = plate.band is not None and plate.band[0] == "top" and a == 0 and box[1] < high * 0.15
        band = band and len(plate.rows) > 1
        shade = WHITE if band else tone
        narrow = 0.5 - min(0.5, len(text) * (0.06 if not small else 0.045))
        narrow = max(narrow * 0.8, 0.02) if plate.ratio < 2.5 or small else 0.02
        sheet.text(ink.part(row, narrow, gap, 1 - narrow, 1 - gap), text, font, shade, stretch=True)
    if chance(rng, 0.75):
        sheet.rect(
            ink.inset(sheet.box, rng.uniform(0.015, 0.04)),
            None,
            tone,
            int(rng.integers(4, 11)),
            high * 0.08,
        )
    return sheet.pixels()


def _mount(rng: Rng, pixels: Image8) -> Image8:
    """Bolts, dirt, shine and a frame or surround in its holder's colour."""
    height, width = pixels.shape[:2]
    out = pixels.astype(np.float32)
    if chance(rng, 0.5):
        yy, xx = np.mgrid[:height, :width]
        for x in pick(rng, ((0.25, 0.75), (0.1, 0.9), (0.5,))):
            dot = (
                np.hypot(xx - x * width, yy - height * pick(rng, (0.12, 0.5, 0.88)))
                < height * 0.045
            )
            out[dot] = rng.uniform(40, 230)
    dirt = np.clip(
        ink.soft_noise(rng, height, width, int(rng.integers(3, 20))) - rng.uniform(0.2, 2), 0, 1
    )
    out += (np.array([110, 95, 75], np.float32) - out) * (dirt * rng.uniform(0, 0.8))[..., None]
    if chance(rng, 0.35):  # embossed or sun-lit from one side
        top, bottom = rng.uniform(0.6, 1.15, 2)
        out *= np.linspace(top, bottom, height, dtype=np.float32)[:, None, None]
    return np.clip(out, 0, 255).astype(np.uint8)


def paint(rng: Rng, split: str) -> Patch:
    """Draw one plate of a layout that belongs to `split`."""
    names = [n for n, plate in PLATES.items() if plate.split == split]
    weights = np.array([PLATES[n].weight for n in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    plate = _free(rng) if name == "free" else PLATES[name]
    pixels = _mount(rng, _draw(rng, split, plate))
    patch = ink.finish(pixels, LONG_SIDE, float(rng.uniform(0.03, 0.12)))
    return Patch(patch, name, name.split("_")[0])
