"""Known photographs of parcels: where faces without labels and labels stand in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_agent.errors import SourceError
from training.render.patch import Patch


def _read(name: str) -> Any:
    return json.loads((Path(__file__).parent / name).read_text())


# A label-free picture's stem: its faces as four corners (x, y) each, percent of width and height.
FACES: dict[str, list[list[list[float]]]] = _read("faces.json")
# A picture with labels: each label's "box" (corners) and, where it is plain, "quad" (4 corners).
MARKS: dict[str, list[dict[str, list[Any]]]] = _read("marks.json")


def photograph(path: Path) -> Patch:
    """The known picture at `path` as an opaque patch; its layout is its stem."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError(f"{path} cannot be read as a picture; remove it or write it anew")
    pixels = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA), np.uint8)
    return Patch(pixels, path.stem, "photograph")
