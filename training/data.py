"""Labelled pictures: reading YOLO, VOC and COCO sets, and a memory map that loaders share."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import LABELS, FloatArray, IntArray
from edge_agent.errors import SettingsError, SourceError

Picture = NDArray[np.uint8]
IGNORED = -1  # a label: nothing is punished in this region
NOTHING = -2  # a label: padding of a batch
PLATE = 0
PICTURE_SUFFIXES = frozenset({".webp", ".jpg", ".jpeg", ".png", ".bmp"})


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One picture on disk; boxes: (N, 4) float32 corners in its pixels; labels: (N,) int32."""

    path: Path
    boxes: FloatArray
    labels: IntArray


def read_picture(path: Path) -> Picture:
    """RGB (H, W, 3) uint8. Raises SourceError."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError(f"{path} is missing or no picture; supply a WebP, JPEG or PNG file")
    return np.ascontiguousarray(picture[..., ::-1])


def read_yolo(folder: Path) -> Iterator[Annotation]:
    """`images/NAME.*` beside `labels/NAME.txt`: lines of class, centre x, centre y, width, height.

    Figures are relative to the picture. No file or an empty one: the picture shows nothing.
    """
    for path in _pictures(folder / "images"):
        height, width = read_picture(path).shape[:2]
        labels = folder / "labels" / f"{path.stem}.txt"
        rows = []
        for number, line in enumerate(
            labels.read_text().splitlines() if labels.exists() else [], 1
        ):
            try:
                label, *box = (float(word) for word in line.split())
                x, y, w, h = box
            except ValueError:
                raise SourceError(f"{labels}:{number}: expected 'class cx cy w h'") from None
            corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            rows.append((corners * [width, height, width, height], int(label)))
        yield _annotation(path, rows)


def held_out(note: Annotation) -> bool:
    """Whether a picture is kept from training for choosing thresholds: one in twelve, by name."""
    return zlib.crc32(note.path.name.encode()) % 12 == 0


def read_voc(folder: Path, names: Mapping[str, str]) -> Iterator[Annotation]:
    """Pascal VOC: an XML file beside each picture, or in `Annotations` beside `JPEGImages`.

    `names` maps the set's own class names to `LABELS`; other classes are left out.
    """
    images = folder / "JPEGImages" if (folder / "JPEGImages").is_dir() else folder
    notes = folder / "Annotations" if (folder / "Annotations").is_dir() else folder
    for path in _pictures(images):
        rows = []
        note = notes / f"{path.stem}.xml"
        for item in ElementTree.parse(note).iter("object") if note.exists() else ():
            name, box = item.findtext("name", ""), item.find("bndbox")
            if name in names and box is not None:
                corners = [float(box.findtext(k, "nan")) for k in ("xmin", "ymin", "xmax", "ymax")]
                rows.append((np.array(corners), LABELS.index(names[name])))
        yield _annotation(path, rows)


def read_coco(notes: Path, images: Path, names: Mapping[str, str]) -> Iterator[Annotation]:
    """COCO: one JSON file of images, categories and annotations (left, top, width, height)."""
    document = json.loads(notes.read_text())
    kinds = {kind["id"]: kind["name"] for kind in document["categories"]}
    rows: dict[int, list[tuple[NDArray[np.float64], int]]] = {}
    for note in document["annotations"]:
        name = kinds[note["category_id"]]
        if name in names:
            x, y, w, h = note["bbox"]
            row = (np.array([x, y, x + w, y + h]), LABELS.index(names[name]))
            rows.setdefault(note["image_id"], []).append(row)
    for image in document["images"]:
        yield _annotation(images / image["file_name"], rows.get(image["id"], []))


def write_yolo(annotations: Iterable[Annotation], folder: Path) -> int:
    """Copy a set into the one form that training reads. Returns the number of pictures."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    count = 0
    for note in annotations:
        height, width = read_picture(note.path).shape[:2]
        size = np.array([width, height])
        centre = (note.boxes[:, :2] + note.boxes[:, 2:]) / 2 / size
        sides = (note.boxes[:, 2:] - note.boxes[:, :2]) / size
        lines = [
            f"{label} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n"
            for label, (x, y), (w, h) in zip(note.labels, centre, sides, strict=True)
        ]
        (folder / "images" / note.path.name).write_bytes(note.path.read_bytes())
        (folder / "labels" / f"{note.path.stem}.txt").write_text("".join(lines))
        count += 1
    return count


class PictureStore:
    """Decoded pictures in one memory map, so that loaders neither decode nor copy.

    `picture(i)` is a read-only (H, W, 3) RGB view; `boxes[i]`, `labels[i]` as in `Annotation`.
    Raises SettingsError where none was built.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "index.json").exists():
            raise SettingsError(f"{folder} holds no decoded pictures: start `train` first")
        index = json.loads((folder / "index.json").read_text())
        self.names: list[str] = index["names"]
        self.boxes = [np.array(b, np.float32).reshape(-1, 4) for b in index["boxes"]]
        self.labels = [np.array(v, np.int32) for v in index["labels"]]
        self._shapes: list[list[int]] = index["shapes"]
        self._starts: list[int] = index["starts"]
        self._pixels = np.memmap(folder / "pixels.u8", np.uint8, "r")

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, i: int) -> Picture:
        height, width = self._shapes[i]
        start = self._starts[i]
        return self._pixels[start : start + height * width * 3].reshape(height, width, 3)

    @classmethod
    def build(cls, annotations: Iterable[Annotation], folder: Path) -> PictureStore:
        """Decode a set once into `folder`; a finished store is used as it is."""
        if not (folder / "index.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            index: dict[str, list[object]] = {
                key: [] for key in ("names", "shapes", "starts", "boxes", "labels")
            }
            with (folder / "pixels.u8").open("wb") as pixels:
                for note in annotations:
                    picture = read_picture(note.path)
                    index["names"].append(note.path.name)
                    index["shapes"].append(list(picture.shape[:2]))
                    index["starts"].append(pixels.tell())
                    index["boxes"].append(note.boxes.tolist())
                    index["labels"].append(note.labels.tolist())
                    pixels.write(picture.tobytes())
            (folder / "index.json").write_text(json.dumps(index))
        return cls(folder)


def _pictures(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise SourceError(
            f"no pictures in {folder}; expected {', '.join(sorted(PICTURE_SUFFIXES))}"
        )
    return found


def _annotation(path: Path, rows: list[tuple[NDArray[np.float64], int]]) -> Annotation:
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    return Annotation(path, boxes, np.array([label for _, label in rows], np.int32))
