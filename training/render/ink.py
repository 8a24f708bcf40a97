"""A sheet to draw on with Pillow: text that fits its box, codes, tables, scribbles, guilloches."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw

from training.render import fonts, words
from training.render.patch import Image8
from training.render.words import Rng, chance, pick

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]


class Sheet:
    """An RGB picture in drawing, `width` x `height` px; boxes are (left, top, right, bottom)."""

    def __init__(self, rng: Rng, width: int, height: int, paper: Colour, split: str) -> None:
        self.rng = rng
        self.split = split
        self.image = Image.new("RGB", (width, height), paper)
        self.draw = ImageDraw.Draw(self.image)
        self.box: Box = (0, 0, width, height)

    def font(self, style: str) -> str:
        return fonts.pick(self.rng, style, self.split)

    def rect(
        self,
        box: Box,
        fill: Colour | None = None,
        line: Colour | None = None,
        width: int = 1,
        radius: float = 0,
    ) -> None:
        if box[2] - box[0] < 2 or box[3] - box[1] < 2:
            return
        self.draw.rounded_rectangle(box, radius, fill, line, width)

    def text(
        self,
        box: Box,
        text: str,
        font: str,
        ink: Colour,
        align: str = "left",
        stretch: bool = False,
    ) -> None:
        """Write one line as large as `box` allows; `stretch` fills the box in both directions."""
        width, height = box[2] - box[0], box[3] - box[1]
        if width < 3 or height < 3 or not text.strip():
            return
        probe = fonts.load(font, 40).getbbox(text)
        wide, high = max(probe[2] - probe[0], 1), max(probe[3] - probe[1], 1)
        size = int(40 * (height / high if stretch else min(width / wide, height / high)))
        face = fonts.load(font, min(max(size, 3), 400))
        left, top, right, bottom = face.getbbox(text)
        if stretch:
            mask = Image.new("L", (max(int(right - left), 1), max(int(bottom - top), 1)))
            ImageDraw.Draw(mask).text((-left, -top), text, font=face, fill=255)
            mask = mask.resize((max(int(width), 1), max(int(height), 1)), Image.Resampling.BILINEAR)
            self.image.paste(ink, (int(box[0]), int(box[1])), mask)
            return
        spare = width - (right - left)
        x = box[0] + {"left": 0.0, "centre": spare / 2, "right": spare}[align]
        y = box[1] + (height - (bottom - top)) / 2
        self.draw.text((x - left, y - top), text, font=face, fill=ink)

    def lines(
        self, box: Box, texts: list[str], font: str, ink: Colour, size: float, gap: float = 1.35
    ) -> None:
        """Write lines from the top of `box`, each `size` px high and cut to the box's width."""
        y = box[1]
        for text in texts:
            if y + size > box[3]:
                return
            self.text((box[0], y, box[2], y + size), text, font, ink)
            y += size * gap

    def paste(self, box: Box, pixels: Image8) -> None:
        """Put a grey or RGB array into `box`, without smoothing."""
        size = (max(int(box[2] - box[0]), 1), max(int(box[3] - box[1]), 1))
        self.image.paste(
            Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST),
            (int(box[0]), int(box[1])),
        )

    def barcode(self, box: Box, ink: Colour = (0, 0, 0), upright: bool = False) -> None:
        count = int(self.rng.integers(26, 75))
        bars = np.repeat(np.arange(count) % 2 == 0, self.rng.integers(1, 5, count))
        self._modules(box, bars[:, None] if upright else bars[None, :], ink)

    def square_code(self, box: Box, ink: Colour = (0, 0, 0), kind: str = "qr") -> None:
        """A block of modules like a QR code, a data matrix or a MaxiCode; its data mean nothing."""
        side = min(box[2] - box[0], box[3] - box[1])
        count = int(self.rng.integers(19, 34))
        grid = self.rng.random((count, count)) < 0.5
        if kind == "qr":
            ring = np.pad(np.pad(np.ones((3, 3), bool), 1), 1, constant_values=True)
            for y, x in ((0, 0), (0, count - 8), (count - 8, 0)):
                grid[y : y + 8, x : x + 8] = False
                grid[y : y + 7, x : x + 7] = ring
        elif kind == "matrix":
            grid[:, 0] = grid[-1] = True
            grid[0] = np.arange(count) % 2 == 0
            grid[:, -1] = np.arange(count) % 2 == 1
        else:
            reach = np.hypot(*(np.indices(grid.shape) - (count - 1) / 2))
            grid = np.where(reach < count / 6, (reach.astype(int) % 2) == 0, grid)
        left, top = (box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2
        self._modules((left, top, left + side, top + side), grid, ink)

    def _modules(self, box: Box, dark: np.ndarray, ink: Colour) -> None:
        size = (int(box[2] - box[0]), int(box[3] - box[1]))
        if min(size) < 2:
            return
        mask = Image.fromarray(np.where(dark, 255, 0).astype(np.uint8))
        self.image.paste(
            ink, (int(box[0]), int(box[1])), mask.resize(size, Image.Resampling.NEAREST)
        )

    def scribble(self, box: Box, ink: Colour, strokes: int, width: int) -> None:
        """Lines that look written by hand: a smooth random walk along the box."""
        x = box[0] + (box[2] - box[0]) * 0.02
        high = box[3] - box[1]
        for _ in range(strokes):
            count = int(self.rng.integers(8, 22))
            xs = x + np.cumsum(np.abs(self.rng.normal(0, high * 0.16, count)))
            ys = box[1] + high * (0.5 + 0.3 * np.sin(self.rng.normal(0, 1.9, count)))
            points = np.stack([xs, ys], 1)[xs < box[2]]
            if len(points) < 3:
                return
            self.draw.line(
                [tuple(p) for p in points.tolist()], fill=ink, width=width, joint="curve"
            )
            x = float(points[-1, 0]) + high * 0.3

    def table(self, box: Box, rows: int, columns: int, line: Colour, width: int = 2) -> list[Box]:
        """Rule a grid with uneven columns; return the cells, row by row."""
        cuts = np.concatenate([[0.0], np.cumsum(self.rng.uniform(0.6, 1.6, columns))])
        xs = box[0] + (box[2] - box[0]) * cuts / cuts[-1]
        ys = np.linspace(box[1], box[3], rows + 1)
        for y in ys:
            self.draw.line([(box[0], y), (box[2], y)], fill=line, width=width)
        for x in xs:
            self.draw.line([(x, box[1]), (x, box[3])], fill=line, width=width)
        pad = width + 2
        return [
            (xs[c] + pad, ys[r] + pad, xs[c + 1] - pad, ys[r + 1] - pad)
            for r in range(rows)
            for c in range(columns)
        ]

    def guilloche(self, box: Box, ink: Colour, waves: int, width: int = 1) -> None:
        xs = np.linspace(box[0], box[2], 60)
        phase, beat = self.rng.uniform(0, 6, 2)
        high, turns = (box[3] - box[1]) / 2, self.rng.uniform(1.5, 6)
        middle = (box[1] + box[3]) / 2
        for i in range(waves):
            t = np.linspace(0, turns * 2 * np.pi, 60)
            ys = middle + high * np.sin(t + phase + i * 0.22) * np.cos(t * 0.31 + beat + i * 0.1)
            self.draw.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=ink, width=width)

    def pixels(self) -> Image8:
        return np.array(self.image)


def inset(box: Box, share: float) -> Box:
    pad = share * min(box[2] - box[0], box[3] - box[1])
    return (box[0] + pad, box[1] + pad, box[2] - pad, box[3] - pad)


def part(box: Box, left: float, top: float, right: float, bottom: float) -> Box:
    """The part of `box` given in shares of its width and height."""
    wide, high = box[2] - box[0], box[3] - box[1]
    return (
        box[0] + left * wide,
        box[1] + top * high,
        box[0] + right * wide,
        box[1] + bottom * high,
    )


def colour(rng: Rng, low: int = 0, high: int = 255) -> Colour:
    r, g, b = (int(v) for v in rng.integers(low, high + 1, 3))
    return (r, g, b)


def vivid(rng: Rng, value: float = 0.8) -> Colour:
    """A saturated colour of the given brightness (0..1)."""
    hsv = np.array(
        [[[int(rng.integers(180)), int(rng.integers(140, 256)), int(255 * value)]]], np.uint8
    )
    r, g, b = (int(v) for v in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0])
    return (r, g, b)


def paper(rng: Rng) -> Colour:
    base = int(rng.integers(225, 256))
    tint = rng.integers(-10, 4, 3) if chance(rng, 0.5) else np.zeros(3, int)
    r, g, b = (int(v) for v in np.clip(base + tint, 0, 255))
    return (r, g, b)


def finish(pixels: Image8, long_side: int, radius: float = 0.0) -> Image8:
    """Shrink an RGB or RGBA drawing to `long_side` and round its corners (`radius`: share of the
    short side)."""
    scale = long_side / max(pixels.shape[:2])
    size = (max(round(pixels.shape[1] * scale), 4), max(round(pixels.shape[0] * scale), 4))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if small.shape[2] == 3:
        small = np.dstack([small, np.full(small.shape[:2], 255, np.uint8)])
    if radius > 0:
        mask = Image.new("L", (size[0] * 2, size[1] * 2))
        corner = radius * min(size) * 2
        ImageDraw.Draw(mask).rounded_rectangle(
            (0, 0, size[0] * 2 - 1, size[1] * 2 - 1), corner, 255
        )
        rounded = np.array(mask.resize(size, Image.Resampling.BOX))
        small[..., 3] = np.minimum(small[..., 3], rounded)
    return np.ascontiguousarray(small)


def soft_noise(rng: Rng, height: int, width: int, cells: int) -> np.ndarray:
    """Smooth noise, (height, width) float32, mean 0, deviation about 1, `cells` blobs across."""
    coarse = rng.normal(0, 1, (max(cells * height // width, 2), max(cells, 2))).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def wear(rng: Rng, pixels: Image8, strength: float) -> Image8:
    """Uneven light and creases on paper or plastic; keeps alpha."""
    height, width = pixels.shape[:2]
    shade = 1 + 0.03 * strength * soft_noise(rng, height, width, 5)
    for _ in range(int(rng.integers(0, 4)) if chance(rng, 0.35 * strength) else 0):
        a, b = rng.uniform(-1, 1, 2)
        ramp = np.add.outer(
            b * np.linspace(-1, 1, height), a * np.linspace(-1, 1, width)
        ) + rng.uniform(-0.5, 0.5)
        crease = np.exp(-((ramp / rng.uniform(0.01, 0.05)) ** 2)) * np.sign(ramp)
        shade += (rng.uniform(0.05, 0.2) * crease).astype(np.float32)
    out = pixels.copy()
    out[..., :3] = np.clip(pixels[..., :3] * shade[..., None], 0, 255).astype(np.uint8)
    return out


def brand(sheet: Sheet, box: Box, script: str, ink: Colour) -> None:
    """An invented carrier's or maker's name, sometimes with a simple sign beside it."""
    rng = sheet.rng
    text = (
        words.company(rng)
        if script != "korean" or chance(rng, 0.4)
        else words.pick(rng, words.HANGUL_PLACES)
        + pick(rng, ("택배", "로지스", "통운", "익스프레스", "우편"))
    )
    style = "korean_bold" if script == "korean" else pick(rng, ("bold", "bold", "serif", "narrow"))
    if chance(rng, 0.3):
        side = box[3] - box[1]
        mark = (box[0], box[1], box[0] + side, box[3])
        pick(rng, (sheet.draw.ellipse, sheet.draw.rectangle))(inset(mark, 0.1), fill=vivid(rng))
        box = (box[0] + side * 1.1, box[1], box[2], box[3])
    sheet.text(box, text, sheet.font(style), ink, pick(rng, ("left", "centre")))
