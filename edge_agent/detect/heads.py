"""The network's raw outputs to boxes: threshold, decode the survivors, suppress the doubles."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from edge_agent.boxes import LABELS, Detections, FloatArray
from edge_agent.errors import DetectError

STRIDES = (8, 16, 32)
MOST_CANDIDATES = 4000

_LOG_SIZE = (-4.0, 5.5)


@lru_cache(maxsize=16)
def anchors(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """Centres (A, 2) and strides (A, 1) in pixels of an input of this size, in output order."""
    centres, strides = [], []
    for stride in STRIDES:
        x, y = np.meshgrid(np.arange(width // stride), np.arange(height // stride))
        cells = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)
        centres.append((cells + 0.5) * stride)
        strides.append(np.full((len(cells), 1), stride, np.float32))
    return np.concatenate(centres), np.concatenate(strides)


def decode(
    scores: FloatArray,
    boxes: FloatArray,
    size: tuple[int, int],
    thresholds: FloatArray,
    nms_iou: float,
) -> Detections:
    """Boxes in input pixels, best first, no two overlapping by more than `nms_iou`.

    scores: (1, A, 3) logits; boxes: (1, A, 4) as dx, dy, log w, log h in strides; size: input
    width and height; thresholds: (3,) in 0..1. Raises DetectError when the outputs do not have
    these shapes or hold anything that is not a finite number.
    """
    xyxy, logits = candidates(scores, boxes, size, float(thresholds.min()))
    return select(xyxy, logits, thresholds, nms_iou)


def candidates(
    scores: FloatArray, boxes: FloatArray, size: tuple[int, int], least: float
) -> tuple[FloatArray, FloatArray]:
    """Boxes (K, 4) in input pixels whose best score is `least` or more, and their logits (K, 3).

    Raises DetectError as `decode` does.
    """
    centres, strides = anchors(*size)
    count = len(centres)
    if scores.shape != (1, count, len(LABELS)) or boxes.shape != (1, count, 4):
        raise DetectError(f"the model answers in shapes {scores.shape} and {boxes.shape}")
    if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
        raise DetectError("the model answers with values that are no numbers")
    rows = np.flatnonzero(scores[0].max(axis=1) >= _logit(np.float32(least)))
    raw, stride = boxes[0][rows], strides[rows]
    centre = centres[rows] + raw[:, :2] * stride
    half = np.exp(np.clip(raw[:, 2:], *_LOG_SIZE)) * stride / 2
    xyxy = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
    return xyxy, scores[0][rows]


def select(
    xyxy: FloatArray, logits: FloatArray, thresholds: FloatArray, nms_iou: float
) -> Detections:
    """Of candidates (K, 4) with logits (K, 3), those that reach their threshold, best first, no
    two overlapping by more than `nms_iou`."""
    excess = logits - _logit(thresholds)
    rows = np.flatnonzero(excess.max(axis=1, initial=-np.inf) >= 0)
    label = excess[rows].argmax(axis=1).astype(np.int32)
    logit = logits[rows, label]
    if len(rows) > MOST_CANDIDATES:
        best = np.argpartition(-logit, MOST_CANDIDATES)[:MOST_CANDIDATES]
        rows, label, logit = rows[best], label[best], logit[best]
    found = Detections(
        xyxy[rows],
        (1 / (1 + np.exp(-np.clip(logit, -60, 60)))).astype(np.float32),
        label,
    )
    return suppress(found, nms_iou)


def suppress(found: Detections, nms_iou: float) -> Detections:
    """Greedy suppression over all classes together, best first."""
    if not len(found):
        return found
    corner_and_size = found.xyxy.copy()
    corner_and_size[:, 2:] -= corner_and_size[:, :2]
    kept = cv2.dnn.NMSBoxes(corner_and_size.tolist(), found.score.tolist(), 0.0, nms_iou)
    keep = np.asarray(kept, np.int64).reshape(-1)
    return Detections(found.xyxy[keep], found.score[keep], found.label[keep])


def _logit(thresholds: FloatArray | np.float32) -> FloatArray:
    """A threshold above 1 switches its class off; one of 0 lets everything through."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logit = np.log(thresholds) - np.log1p(-thresholds)
    return np.asarray(np.where(thresholds >= 1, np.inf, logit), np.float32)
