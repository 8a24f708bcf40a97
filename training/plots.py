"""The evaluation's figures as pictures that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_agent.boxes import LABELS, FloatArray
from training.data import read_picture
from training.evaluate import Set
from training.metrics import (
    Looked,
    above,
    heights_and_found,
    is_true,
    precision_recall,
    was_found,
)

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "veilcast"  # the same figures give the same file
BINS = np.array([4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384])


def draw_precision_recall(sets: Sequence[Set], path: Path) -> None:
    figure, axes = _axes("recall", "precision")
    for judged, label in _shown(sets):
        curve = precision_recall(judged.looks, label)
        name = f"{judged.name}: {LABELS[label]} (AP50 {curve.average_precision:.2f})"
        axes.plot(curve.recall, curve.precision, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _save(figure, path)


def draw_recall_by_height(sets: Sequence[Set], thresholds: NDArray[np.float64], path: Path) -> None:
    """At the card's thresholds; a bin of fewer than five objects is left out."""
    figure, axes = _axes("height at the network's input, px", "recall")
    for judged, label in _shown(sets):
        heights, found = heights_and_found(judged.looks, label, thresholds)
        count, _ = np.histogram(heights, BINS)
        hits, _ = np.histogram(heights[found], BINS)
        enough = count >= 5
        middle = np.sqrt(BINS[:-1] * BINS[1:])[enough]
        name = f"{judged.name}: {LABELS[label]} ({len(heights)})"
        axes.plot(middle, hits[enough] / count[enough], "o-", label=name)
    axes.set(xscale="log", ylim=(0, 1.02), xticks=BINS, xticklabels=BINS)
    _save(figure, path)


def draw_calibration(sets: Sequence[Set], path: Path) -> None:
    """Of the boxes with some score, how many are true; the diagonal would be perfect."""
    figure, axes = _axes("score", "share of true boxes")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    edges = np.linspace(0, 1, 11)
    for judged, label in _shown(sets):
        score, true = [], []
        for look in judged.looks:
            mine = look.found.label == label
            score.append(look.found.score[mine])
            true.append(is_true(look)[mine])
        place = np.digitize(np.concatenate(score), edges) - 1
        hits = np.concatenate(true)
        bins = [i for i in range(10) if (place == i).sum() >= 5]
        shares = [hits[place == i].mean() for i in bins]
        axes.plot(edges[bins] + 0.05, shares, "o-", label=f"{judged.name}: {LABELS[label]}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    _save(figure, path)


def draw_misses(
    judged: Set, folder: Path, thresholds: NDArray[np.float64], path: Path, most: int = 24
) -> None:
    """A contact sheet of the largest objects that were missed. For rendered sets only."""
    tiles: list[tuple[float, Looked, FloatArray]] = []
    for look in judged.looks:
        missed = look.boxes[~was_found(look, thresholds)]
        tiles.extend((float((box[3] - box[1]) * look.scale), look, box) for box in missed)
    tiles.sort(key=lambda tile: -tile[0])
    sheet = np.full((4 * 130, 6 * 170, 3), 255, np.uint8)
    for i, (_, look, box) in enumerate(tiles[:most]):
        picture = read_picture(folder / "images" / look.name).copy()
        for found in above(look.found, thresholds).xyxy:
            _outline(picture, found, (40, 200, 40))
        _outline(picture, box, (230, 40, 40))
        x, y = np.clip((box[:2] + box[2:]) / 2, 0, None)
        reach = max(80.0, float(max(box[2] - box[0], box[3] - box[1])) * 0.8)
        part = picture[
            max(0, int(y - reach * 0.75)) : int(y + reach * 0.75),
            max(0, int(x - reach)) : int(x + reach),
        ]
        row, column = divmod(i, 6)
        sheet[row * 130 : row * 130 + 120, column * 170 : column * 170 + 160] = cv2.resize(
            part, (160, 120), interpolation=cv2.INTER_AREA
        )
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 80])


def _outline(picture: NDArray[np.uint8], box: FloatArray, colour: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 2)


def _shown(sets: Sequence[Set]) -> list[tuple[Set, int]]:
    """Every set with every class of which it holds boxes."""
    return [
        (judged, label)
        for judged in sets
        for label in range(len(LABELS))
        if any((look.labels == label).any() for look in judged.looks)
    ]


def _axes(x: str, y: str) -> tuple[Figure, mpl.axes.Axes]:
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    figure.axes[0].legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
