"""Installed fonts by style and script, some kept for validation alone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

from edge_agent.errors import SettingsError

ROOT = Path("/usr/share/fonts")

STYLES: dict[str, tuple[str, ...]] = {
    "sans": (
        "truetype/liberation/LiberationSans-Regular.ttf",
        "truetype/dejavu/DejaVuSans.ttf",
        "truetype/dejavu/DejaVuSansCondensed.ttf",
        "truetype/liberation/LiberationSans-Italic.ttf",
    ),
    "bold": (
        "truetype/liberation/LiberationSans-Bold.ttf",
        "truetype/dejavu/DejaVuSans-Bold.ttf",
        "truetype/dejavu/DejaVuSansCondensed-Bold.ttf",
        "truetype/liberation/LiberationSans-BoldItalic.ttf",
    ),
    "narrow": (
        "truetype/liberation/LiberationSansNarrow-Bold.ttf",
        "truetype/liberation/LiberationSansNarrow-Regular.ttf",
    ),
    "serif": (
        "truetype/liberation/LiberationSerif-Regular.ttf",
        "truetype/liberation/LiberationSerif-Bold.ttf",
        "truetype/dejavu/DejaVuSerif.ttf",
        "truetype/liberation/LiberationSerif-Italic.ttf",
    ),
    "mono": (
        "truetype/liberation/LiberationMono-Regular.ttf",
        "truetype/liberation/LiberationMono-Bold.ttf",
        "truetype/dejavu/DejaVuSansMono.ttf",
    ),
    "korean": (
        "truetype/nanum/NanumGothic.ttf",
        "truetype/nanum/NanumBarunGothic.ttf",
        "opentype/noto/NotoSansCJK-Regular.ttc",
        "truetype/nanum/NanumMyeongjo.ttf",
    ),
    "korean_bold": (
        "truetype/nanum/NanumGothicBold.ttf",
        "truetype/nanum/NanumBarunGothicBold.ttf",
        "truetype/nanum/NanumSquareB.ttf",
        "opentype/noto/NotoSansCJK-Bold.ttc",
    ),
    "han": ("opentype/noto/NotoSansCJK-Regular.ttc", "opentype/noto/NotoSerifCJK-Regular.ttc"),
    "han_bold": ("opentype/noto/NotoSansCJK-Bold.ttc",),
    "arabic": ("truetype/dejavu/DejaVuSans.ttf",),
    "arabic_bold": ("truetype/dejavu/DejaVuSans-Bold.ttf",),
}
HELD_OUT: dict[str, tuple[str, ...]] = {
    "sans": ("truetype/dejavu/DejaVuSans-Oblique.ttf", *STYLES["sans"][:1]),
    "bold": ("truetype/dejavu/DejaVuSans-BoldOblique.ttf", *STYLES["bold"][:1]),
    "serif": ("truetype/dejavu/DejaVuSerifCondensed.ttf",),
    "mono": ("truetype/dejavu/DejaVuSansMono-Bold.ttf",),
    "korean": ("truetype/nanum/NanumSquareRoundR.ttf",),
    "korean_bold": ("truetype/nanum/NanumSquareRoundB.ttf",),
    "han_bold": ("opentype/noto/NotoSerifCJK-Bold.ttc",),
}


@lru_cache(maxsize=512)
def load(path: str, size: int) -> ImageFont.FreeTypeFont:
    """The font file `path` (below ROOT) at `size` px. SettingsError when it isn't installed."""
    try:
        return ImageFont.truetype(ROOT / path, size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise SettingsError(
            f"font {ROOT / path} is missing: install fonts-nanum, fonts-noto-cjk, "
            "fonts-dejavu and fonts-liberation"
        ) from error


def pick(rng: np.random.Generator, style: str, split: str) -> str:
    """A font file for `style`; validation prefers the held-out ones."""
    held = HELD_OUT.get(style) if split == "val" else None
    files = held or STYLES[style]
    return files[int(rng.integers(len(files)))]
