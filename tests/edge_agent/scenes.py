"""Still pictures for tests: the rendered samples that come with the agent, on a plain wall."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_agent.detect.self_test import ASSETS
from edge_agent.thumbnail import Picture

Box = tuple[int, int, int, int]


def wall(width: int, height: int) -> Picture:
    light = np.linspace(90, 150, height, dtype=np.float32)[:, None, None]
    return np.broadcast_to(light, (height, width, 3)).astype(np.uint8)


def paste(picture: Picture, sample: str, x: int, y: int, height: int) -> Box:
    """Put `ASSETS / sample` at x, y, this many pixels high; where it is now."""
    drawn = cv2.imread(str(ASSETS / sample))
    assert drawn is not None
    width = round(drawn.shape[1] * height / drawn.shape[0])
    picture[y : y + height, x : x + width] = cv2.resize(
        drawn, (width, height), interpolation=cv2.INTER_AREA
    )
    return x, y, x + width, y + height


def write(path: Path, picture: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def turned_by_exif(path: Path, picture: Picture, orientation: int) -> Path:
    """A JPEG whose EXIF block says how to turn it before it is looked at."""
    _, encoded = cv2.imencode(".jpg", picture)
    jpeg = encoded.tobytes()
    entry = (0x0112).to_bytes(2, "big") + b"\0\3\0\0\0\1" + orientation.to_bytes(2, "big") + b"\0\0"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + b"\0\0\0\0"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    return path
