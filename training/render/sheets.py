"""Contact sheets and validation sets of composed scenes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from edge_agent.errors import SourceError
from training.render import paste, scene
from training.render.bank import Banks
from training.render.patch import Image8
from training.render.words import Rng

LEAST_SIDES = (6, 12, 9)  # px, by label: a validation set asks for nothing smaller
LEAST_CONTRAST = 9.0  # standard deviation of green
COLOURS = ((255, 60, 60), (60, 255, 60), (80, 120, 255))


def read_backgrounds(folder: Path) -> list[Path]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix in (".webp", ".png", ".jpg"))
    if not paths:
        raise SourceError(f"{folder} holds no pictures (webp, png, jpg) to draw upon")
    return paths


def random_view(rng: Rng, path: Path, width: int, height: int) -> Image8:
    """A random crop of the picture at `path`, scaled to `width` x `height`, RGB."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError(f"{path} cannot be read as a picture; remove it or write it anew")
    high, wide = picture.shape[:2]
    side = rng.uniform(0.6, 1.0) * min(wide / width, high / height)
    w, h = int(width * side), int(height * side)
    x, y = int(rng.integers(0, wide - w + 1)), int(rng.integers(0, high - h + 1))
    view = cv2.resize(picture[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(view[..., ::-1])


def sheet(
    path: Path, banks: Banks, backgrounds: Path, seed: int, count: int, columns: int = 5
) -> None:
    """Write `count` scenes with their boxes drawn, side by side, to `path`."""
    rng = np.random.default_rng(seed)
    files = read_backgrounds(backgrounds)
    tiles = []
    for _ in range(count):
        view = random_view(rng, files[int(rng.integers(len(files)))], 384, 256)
        picture, boxes, labels = scene.compose(rng, view, banks)
        for box, label in zip(boxes.round().astype(int).tolist(), labels.tolist(), strict=True):
            cv2.rectangle(picture, box[:2], box[2:], COLOURS[label], 1)
        tiles.append(picture)
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def drawn_view(rng: Rng, banks: Banks, width: int, height: int) -> Image8:
    """A ground without any photograph: soft blobs, partly covered by drawn surfaces, RGB."""
    blobs = rng.uniform(30, 220, (int(rng.integers(3, 16)), int(rng.integers(4, 24)), 3))
    large = cv2.resize(blobs.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    view = np.asarray(large, np.uint8)
    for _ in range(int(rng.integers(0, 3))):
        size = rng.uniform(0.4, 1.6) * height
        quad = paste.pose(rng, rng.uniform(0.7, 2.2), size, 60, 40)
        quad += (rng.uniform(0, 1, 2) * [width, height]).astype(np.float32)
        paste.paste(rng, view, banks.surfaces.patch(banks.surfaces.pick(rng)), quad)
    return view


def valset(folder: Path, banks: Banks, backgrounds: Path | None, seed: int, count: int) -> None:
    """Write `count` pictures of 640 x 360 with YOLO labels and `objects.json`.

    The latter tells each object's label, layout, trait and box in px, by picture. Without
    `backgrounds` nothing in the pictures is photographed, so that they can be shown.
    """
    rng = np.random.default_rng(seed)
    files = read_backgrounds(backgrounds) if backgrounds else []
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    known = {}
    for number in range(count):
        made = _judged_scene(rng, files, banks)
        name = f"r{number:04d}"
        cv2.imwrite(
            str(folder / "images" / f"{name}.webp"),
            made.picture[..., ::-1],
            [cv2.IMWRITE_WEBP_QUALITY, 92],
        )
        (folder / "labels" / f"{name}.txt").write_text("".join(_yolo(item) for item in made.items))
        known[name] = [
            {
                "label": i.label,
                "layout": i.layout,
                "trait": i.trait,
                "box": [round(float(v), 1) for v in i.box],
            }
            for i in made.items
        ]
    (folder / "objects.json").write_text(json.dumps(known, indent=1) + "\n")


def _judged_scene(rng: Rng, files: list[Path], banks: Banks) -> scene.Scene:
    """A scene whose every object is large and plain enough that missing it is a fault."""
    while True:
        view = (
            random_view(rng, files[int(rng.integers(len(files)))], 640, 360)
            if files
            else drawn_view(rng, banks, 640, 360)
        )
        made = scene.build(rng, view, banks)
        if all(_plain(made.picture, item) for item in made.items):
            return made


def _plain(picture: Image8, item: scene.Item) -> bool:
    x0, y0, x1, y1 = item.box.astype(int)
    contrast = float(picture[y0 : y1 + 1, x0 : x1 + 1, 1].std())
    return contrast >= LEAST_CONTRAST and min(x1 - x0, y1 - y0) >= LEAST_SIDES[item.label]


def _yolo(item: scene.Item, width: int = 640, height: int = 360) -> str:
    x0, y0, x1, y1 = (float(v) for v in item.box)
    cx, cy, w, h = (
        (x0 + x1) / 2 / width,
        (y0 + y1) / 2 / height,
        (x1 - x0) / width,
        (y1 - y0) / height,
    )
    return f"{item.label} {cx:.6f} {cy:.6f} {w:.6f} {h:.6f}\n"
