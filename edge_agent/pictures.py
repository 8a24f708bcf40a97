"""Still pictures: which ones, how they are read, and how large ones are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from edge_agent.boxes import Detections, iou_matrix
from edge_agent.detect.detector import Region
from edge_agent.detect.heads import suppress
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.errors import DetectError, SourceError
from edge_agent.second_looks import tiles
from edge_agent.thumbnail import Picture

SUFFIXES = frozenset({".avif", ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FULL_DETAIL = 1920
SMALL_SHARE = 0.15
EDGE_PX = 4
INSIDE = 0.7


def pictures_in(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Every picture named or in a named folder, each with its place relative to what was named."""
    for path in paths:
        if path.is_dir():
            found = (each for each in sorted(path.rglob("*")) if each.is_file())
            yield from (
                (each, each.relative_to(path)) for each in found if each.suffix.lower() in SUFFIXES
            )
        else:
            yield path, Path(path.name)


def read_picture(path: Path) -> Picture:
    """The picture as BGR (H, W, 3), upright: an EXIF orientation is applied. Raises SourceError."""
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
        picture = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    except cv2.error as error:
        raise SourceError(f"{path}: too large or damaged") from error
    if picture is None:
        raise SourceError(f"{path}: not a picture that can be read")
    return np.asarray(picture, np.uint8)


def look_at(detector: OnnxDetector, picture: Picture, *, nms_iou: float, tiled: bool) -> Detections:
    """Find objects in a BGR picture; boxes in its pixels, inside it, best first.

    With `tiled` a picture larger than the detector's input is looked at again in parts, for what
    is small in it. Raises DetectError when a look does not prove itself twice.
    """
    rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    height, width = rgb.shape[:2]
    whole = _look(detector, rgb)
    parts = [_part(detector, rgb, tile) for tile in _tiles(width, height)] if tiled else []
    small = _outside(_joined(parts), whole)
    found = suppress(_joined([whole, small]), nms_iou)
    limit = np.array([width, height, width, height], np.float32)
    clipped = np.clip(found.xyxy, 0, limit)
    real = np.flatnonzero((clipped[:, 2:] > clipped[:, :2]).all(axis=1))
    return Detections(clipped[real], found.score[real], found.label[real])


def _look(detector: OnnxDetector, rgb: Picture) -> Detections:
    try:
        return detector.look_rgb(rgb)
    except DetectError:
        return detector.look_rgb(rgb)  # the proof of life stands elsewhere in each look


def _tiles(width: int, height: int) -> list[Region]:
    """Parts at native resolution, or, of very large pictures, as if these were 1920 pixels long."""
    shrink = max(1.0, max(width, height) / FULL_DETAIL)
    return [
        Region(*(int(side * shrink) for side in (tile.x1, tile.y1, tile.x2, tile.y2)))
        for tile in tiles(int(width / shrink), int(height / shrink))
    ]


def _part(detector: OnnxDetector, rgb: Picture, tile: Region) -> Detections:
    """The small objects of a tile that its inner edges do not cut: another tile shows those."""
    height, width = rgb.shape[:2]
    found = _look(detector, rgb[tile.y1 : tile.y2, tile.x1 : tile.x2])
    corner = np.array([tile.x1, tile.y1, tile.x1, tile.y1], np.float32)
    boxes = found.xyxy + corner
    small = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) < SMALL_SHARE * max(width, height)
    uncut = (
        ((boxes[:, 0] > tile.x1 + EDGE_PX) | (tile.x1 == 0))
        & ((boxes[:, 1] > tile.y1 + EDGE_PX) | (tile.y1 == 0))
        & ((boxes[:, 2] < tile.x2 - EDGE_PX) | (tile.x2 >= width - 1))
        & ((boxes[:, 3] < tile.y2 - EDGE_PX) | (tile.y2 >= height - 1))
    )
    keep = np.flatnonzero(small & uncut)
    return Detections(boxes[keep], found.score[keep], found.label[keep])


def _outside(parts: Detections, whole: Detections) -> Detections:
    """Leave out what lies inside a larger object of the whole look: it is a piece of that one."""
    if not len(parts) or not len(whole):
        return parts
    part_area = (parts.xyxy[:, 2:] - parts.xyxy[:, :2]).prod(axis=1)[:, None]
    whole_area = (whole.xyxy[:, 2:] - whole.xyxy[:, :2]).prod(axis=1)[None]
    iou = iou_matrix(parts.xyxy, whole.xyxy)
    inner = iou * (part_area + whole_area) / (1 + iou)
    inside = (inner > INSIDE * part_area) & (whole_area > 2 * part_area)
    keep = np.flatnonzero(~inside.any(axis=1))
    return Detections(parts.xyxy[keep], parts.score[keep], parts.label[keep])


def _joined(parts: Sequence[Detections]) -> Detections:
    if not parts:
        return Detections.empty()
    return Detections(
        np.concatenate([part.xyxy for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.label for part in parts]),
    )
