"""Small frames and looks for tests that need no codec."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from edge_agent.boxes import Detections
from edge_agent.frame import Frame

MILLISECOND = 1_000_000


def make_frame(
    index: int, *, fps: int = 25, width: int = 64, height: int = 48, captured_ns: int = 0
) -> Frame:
    """A grey frame at `index` / `fps` seconds."""
    return Frame(
        np.full((height, width), 90, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
        np.full((height // 2, width // 2), 128, np.uint8),
        pts=index,
        time_base=Fraction(1, fps),
        index=index,
        captured_ns=captured_ns,
    )


def detections(*boxes: tuple[float, float, float, float], label: int = 0) -> Detections:
    """Detections of one class at score 0.9."""
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.9, np.float32),
        np.full(len(boxes), label, np.int32),
    )
