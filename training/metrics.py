"""How well found boxes fit the true ones: average precision, recall by height, false boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import LABELS, Detections, FloatArray, IntArray, iou_matrix

MATCH_IOU = 0.5
HEIGHTS = (0, 8, 12, 16, 24, 40, 80, 160, 1000)


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """One picture's truth beside what was found in it, at low thresholds.

    boxes (N, 4), labels (N,) and `found` share one frame; `scale` takes its pixels to the
    network's input.
    """

    name: str
    boxes: FloatArray
    labels: IntArray
    found: Detections
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall as the threshold falls; scores: where each point stands."""

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def average_precision(self) -> float:
        """Area under the curve made monotone (all-point interpolation)."""
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float(np.sum(np.diff(self.recall, prepend=0.0) * envelope))


def precision_recall(looks: Sequence[Looked], label: int, lowest: float = 0.0) -> Curve:
    """One class against its own boxes at IoU 0.5, the best scores first.

    Objects of less than `lowest` pixels of height at the input neither have to be found nor make
    what fits them false.
    """
    scores, hits, total = [], [], 0
    for look in looks:
        truth = look.boxes[look.labels == label]
        large = (truth[:, 3] - truth[:, 1]) * look.scale >= lowest
        total += int(large.sum())
        mine = look.found.label == label
        order = np.argsort(-look.found.score[mine], kind="stable")
        overlaps = iou_matrix(look.found.xyxy[mine][order], truth)
        hit = _first_hits(overlaps[:, large])
        counts = hit | (overlaps[:, ~large].max(axis=1, initial=0.0) < MATCH_IOU)
        scores.append(look.found.score[mine][order][counts])
        hits.append(hit[counts])
    score, hit = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-score, kind="stable")
    true = np.cumsum(hit[order])
    count = np.arange(1, len(order) + 1)
    return Curve(true / max(total, 1), true / count, score[order].astype(np.float64))


def above(found: Detections, thresholds: NDArray[np.float64]) -> Detections:
    """Only what reaches its class's threshold."""
    keep = found.score >= thresholds[found.label]
    return Detections(found.xyxy[keep], found.score[keep], found.label[keep])


def was_found(look: Looked, thresholds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) whether a box of any class fits each true one at IoU 0.5: any box covers it."""
    found = above(look.found, thresholds)
    overlaps = iou_matrix(look.boxes, found.xyxy)
    return np.asarray(overlaps.max(axis=1, initial=0.0) >= MATCH_IOU)


def is_true(look: Looked) -> NDArray[np.bool_]:
    """(detections,) whether each found box fits a true one of its own class, taken once."""
    true = np.zeros(len(look.found), np.bool_)
    for label in range(len(LABELS)):
        mine = np.flatnonzero(look.found.label == label)
        best = mine[np.argsort(-look.found.score[mine], kind="stable")]
        overlaps = iou_matrix(look.found.xyxy[best], look.boxes[look.labels == label])
        true[best] = _first_hits(overlaps)
    return true


def recall_by_height(
    looks: Sequence[Looked], label: int, thresholds: NDArray[np.float64]
) -> dict[str, tuple[int, int]]:
    """(found, all) per range of height in input pixels."""
    heights, found = heights_and_found(looks, label, thresholds)
    result = {}
    for low, high in pairwise(HEIGHTS):
        inside = (heights >= low) & (heights < high)
        if inside.any():
            result[f"{low}-{high}"] = (int(found[inside].sum()), int(inside.sum()))
    return result


def heights_and_found(
    looks: Sequence[Looked], label: int, thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Height in input pixels of every true box of a class, and whether it was found."""
    heights, found = [np.zeros(0)], [np.zeros(0, np.bool_)]
    for look in looks:
        mine = look.labels == label
        heights.append((look.boxes[mine, 3] - look.boxes[mine, 1]) * look.scale)
        found.append(was_found(look, thresholds)[mine])
    return np.concatenate(heights), np.concatenate(found)


def false_boxes(looks: Sequence[Looked], thresholds: NDArray[np.float64]) -> list[int]:
    """Per class of `LABELS`: boxes that overlap no true box of any class by IoU 0.3."""
    counts = np.zeros(len(LABELS), np.int64)
    for look in looks:
        found = above(look.found, thresholds)
        lonely = iou_matrix(found.xyxy, look.boxes).max(axis=1, initial=0.0) < 0.3
        counts += np.bincount(found.label[lonely], minlength=len(LABELS))
    return [int(n) for n in counts]


def _first_hits(overlaps: FloatArray) -> NDArray[np.bool_]:
    """(detections, truths) in order of score: each truth is matched once, by its best overlap."""
    hits = np.zeros(len(overlaps), np.bool_)
    free = np.ones(overlaps.shape[1], np.bool_)
    for i, row in enumerate(overlaps):
        if not free.any():
            break
        best = int(np.argmax(np.where(free, row, -1)))
        if row[best] >= MATCH_IOU:
            hits[i], free[best] = True, False
    return hits
