"""Banks of drawn patches: one flat memory-mapped file per kind with an index beside it."""

from __future__ import annotations

import multiprocessing as mp
import os
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from edge_agent.errors import SettingsError
from training.render import cards, hands, labels, negatives, people, plates, surfaces
from training.render.patch import Image8, Patch
from training.render.people import PEOPLE
from training.render.photographs import FACES, MARKS, photograph
from training.render.words import Rng

Split = Literal["train", "val"]
Painter = Callable[[Rng, str], Patch]
VAL_SHARE = 0.15

# kind: (painter, its share of the bank's count)
KINDS: dict[str, tuple[Painter, float]] = {
    "labels": (labels.paint, 2.0),
    "cards": (cards.paint, 1.0),
    "plates": (plates.paint, 1.0),
    "negatives": (negatives.paint, 0.7),
    "surfaces": (surfaces.paint, 0.2),
    "hands": (hands.paint, 0.06),
}


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Patches of one kind. pixels: flat uint8 memory map; patch i is pixels[start[i]:] shaped
    (height[i], width[i], 4) RGBA. layout, trait: what `Patch` says of each."""

    pixels: NDArray[np.uint8]
    start: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]
    layout: NDArray[np.str_]
    trait: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.start)

    def patch(self, i: int) -> Image8:
        """Patch `i` as a read-only view (H, W, 4)."""
        high, wide, start = int(self.height[i]), int(self.width[i]), int(self.start[i])
        return self.pixels[start : start + high * wide * 4].reshape(high, wide, 4)

    def pick(self, rng: Rng) -> int:
        return int(rng.integers(len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Banks:
    labels: Bank
    cards: Bank
    plates: Bank
    negatives: Bank
    surfaces: Bank
    hands: Bank
    parcels: Bank  # photographs; `photographs` knows their faces and labels


def load_banks(folder: Path | str, split: Split) -> Banks:
    """The banks that `build` wrote to `folder`, only the layouts of `split`.

    Raises SettingsError when they are missing or unfinished."""
    folder = Path(folder)
    if not (folder / "DONE").exists():
        raise SettingsError(
            f"{folder} holds no finished bank: run `python -m training.render bank {folder}`"
        )
    return Banks(**{kind: _load(folder, kind, split) for kind in (*KINDS, "parcels")})


def _load(folder: Path, kind: str, split: Split) -> Bank:
    with np.load(folder / f"{kind}.npz") as index:
        rows = np.flatnonzero(index["split"] == split)
        columns = {
            name: index[name][rows] for name in ("start", "height", "width", "layout", "trait")
        }
    return Bank(np.memmap(folder / f"{kind}.bin", np.uint8, "r"), **columns)


def _paint(kind: str, seed: int, i: int) -> tuple[Patch, str]:
    rng = np.random.default_rng([seed, list(KINDS).index(kind), i])
    split = "val" if rng.random() < VAL_SHARE else "train"
    return KINDS[kind][0](rng, split), split


def _settle(portraits: Sequence[Path]) -> None:
    os.nice(12)
    cv2.setNumThreads(1)
    people.load(portraits)


def build(
    folder: Path,
    seed: int,
    count: int,
    parcels: Sequence[Path] = (),
    portraits: Sequence[Path] = (),
    workers: int = 2,
) -> None:
    """Draw `count` labels, cards and plates, fewer of the rest; same arguments, same bytes.

    parcels: folders of photographs, of which the known ones are kept; portraits: folders of
    photographs whose known faces are printed on cards. Both for training alone.
    """
    known = _known(parcels, FACES.keys() | MARKS.keys())
    _known(portraits, PEOPLE.keys())
    folder.mkdir(parents=True, exist_ok=True)
    with mp.get_context("spawn").Pool(workers, _settle, (portraits,)) as pool:
        for kind, (_, share) in KINDS.items():
            total = max(round(count * share), 12)
            drawn = pool.imap(partial(_paint, kind, seed), range(total), chunksize=8)
            _write(folder, kind, track(drawn, description=f"{kind:10}", total=total))
    _write(folder, "parcels", ((photograph(path), "train") for path in known))
    (folder / "DONE").write_text(f"seed {seed}, count {count}\n")


def _known(places: Sequence[Path], stems: Set[str]) -> list[Path]:
    """The pictures in `places` of which is known what they show."""
    paths = sorted(path for place in places for path in place.iterdir() if path.stem in stems)
    if places and not paths:
        raise SettingsError(
            f"no known picture lies in {', '.join(map(str, places))}: name folders of pictures, "
            "such as DATA/parcels/images"
        )
    return paths


def _write(folder: Path, kind: str, patches: Iterable[tuple[Patch, str]]) -> None:
    rows = []
    with (folder / f"{kind}.bin").open("wb") as file:
        for patch, split in patches:
            size = patch.pixels.shape[:2]
            rows.append((file.tell(), *size, split, patch.layout, patch.trait))
            file.write(patch.pixels.tobytes())
        file.write(b"\0")  # so that even an empty bank can be mapped
    numbers = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3)
    texts = np.array([row[3:] for row in rows], np.str_).reshape(-1, 3)
    start, height, width = numbers.T
    splits, layout, trait = texts.T
    np.savez(
        folder / f"{kind}.npz", start=start, height=height, width=width,
        split=splits, layout=layout, trait=trait,
    )  # fmt: skip
