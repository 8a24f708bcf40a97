"""What a look saw before any threshold: so that thresholds can change for looks already taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.boxes import Detections, FloatArray
from edge_agent.detect.heads import select

WEAK_SHARE = 0.5  # of the strong thresholds: what tracking may still use as weak evidence
NEVER = 2.0  # the threshold of a class that is switched off
FLOOR = 0.01  # no threshold that changes later reaches below this score

Wanted = Sequence[float | None]  # strong thresholds by label; None: the model's own


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Every box that a look thought anything of.

    xyxy: (K, 4) float32 pixels of the frame; logits: (K, 3) float32 by label; own: (3,) the
    thresholds that the model's card states.
    """

    xyxy: FloatArray
    logits: FloatArray
    own: FloatArray
    nms_iou: float

    def under(self, strong: FloatArray) -> Detections:
        """What counts, strongly or weakly, under these strong thresholds (3,)."""
        return select(self.xyxy, self.logits, weak_thresholds(strong), self.nms_iou)


@dataclass(frozen=True, slots=True, eq=False)
class Witnessed(Detections):
    """Detections, and what they were chosen from."""

    evidence: Evidence


def strong_thresholds(own: FloatArray, wanted: Wanted) -> FloatArray:
    """Scores (3,) from which on a detection covers by itself; a class that is off is never
    reached."""
    return np.array(
        [its if asked is None else asked for its, asked in zip(own, wanted, strict=True)],
        np.float32,
    )


def weak_thresholds(strong: FloatArray) -> FloatArray:
    """Scores (3,) from which on a detection counts beside a strong one of the same track."""
    return np.asarray(np.where(strong == NEVER, NEVER, strong * WEAK_SHARE), np.float32)
