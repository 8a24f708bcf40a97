"""How much of what a film shows can still be seen in its protected pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from examples.clip import Truth
from examples.film import Film

SHOWN_AT = 0.5  # detail correlation: about 0.95 for a re-encoded object, about 0 for a hidden one
SMALLEST = 8

Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Secret:
    """One object on one picture: where it is, as rows and columns, and its fine detail."""

    part: tuple[slice, slice]
    detail: NDArray[np.float32]

    def shows(self, sent: Luma) -> bool:
        """Whether the detail survived in a picture that was sent."""
        return correlation(self.detail, detail_of(sent[self.part])) > SHOWN_AT


def secrets_of(
    clip: Path, film: Film, *, smallest: int = SMALLEST, least: float = 0.0
) -> list[list[Secret]]:
    """What must not be seen, for each picture of the bare film.

    Left out are objects lower or narrower than `smallest` pixels, and those of which a share below
    `least` is in the picture.
    """
    return [
        list(_secrets(bare, truth, smallest, least))
        for bare, truth in zip(lumas(clip), film, strict=True)
    ]


def leaks(clip: Path, protected: Path, film: Film) -> tuple[int, int]:
    """On how many object-frames the object's fine detail survived, and how many there are."""
    shown = total = 0
    for sent, secrets in zip(lumas(protected), secrets_of(clip, film), strict=True):
        total += len(secrets)
        shown += sum(secret.shows(sent) for secret in secrets)
    return shown, total


def lumas(path: Path) -> list[Luma]:
    with av.open(str(path)) as source:
        return [np.asarray(f.to_ndarray(format="gray"), np.uint8) for f in source.decode(video=0)]


def correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """How alike two details are, -1 to 1."""
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def detail_of(picture: Luma) -> NDArray[np.float32]:
    exact = picture.astype(np.float32)
    return exact - cv2.GaussianBlur(exact, (0, 0), 3)


def _secrets(bare: Luma, truth: list[Truth], smallest: int, least: float) -> Iterator[Secret]:
    height, width = bare.shape
    for one in truth:
        x1, y1, x2, y2 = (int(side) for side in one.box)
        part = slice(max(0, y1), min(height, y2)), slice(max(0, x1), min(width, x2))
        high, wide = (side.stop - side.start for side in part)
        if min(high, wide) >= smallest and high * wide >= least * (x2 - x1) * (y2 - y1):
            yield Secret(part, detail_of(bare[part]))
