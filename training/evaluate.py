"""Figures for a card's model on labelled pictures, looked at exactly as the device looks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import LABELS
from edge_agent.detect.card import load_card
from edge_agent.detect.detector import Region
from edge_agent.detect.letterbox import fit
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.errors import DetectError
from training.data import Annotation, read_picture, read_yolo
from training.metrics import (
    Looked,
    false_boxes,
    heights_and_found,
    precision_recall,
    recall_by_height,
)

LOWEST_SCORE = 0.02
# Below these heights at the network's input an object counts as too small to promise anything.
PROMISED_HEIGHT = {"license_plate": 12.0, "id_card": 30.0, "shipping_label": 40.0}


@dataclass(frozen=True, slots=True, eq=False)
class Set:
    """A folder of labelled pictures after the network looked at them.

    blind: pictures left out, since their look did not prove itself by the tracer.
    """

    name: str
    looks: list[Looked]
    blind: int


def open_detector(card: Path) -> OnnxDetector:
    """The card's model as the device runs it, but with thresholds low enough for curves."""
    lowest = np.full(len(LABELS), LOWEST_SCORE, np.float32)
    return OnnxDetector(load_card(card), thresholds=lowest)


def look_at(
    detector: OnnxDetector, folder: Path, chosen: Callable[[Annotation], bool] | None = None
) -> Set:
    """Look at every picture of a YOLO folder, or at the chosen ones."""
    looks, blind = [], 0
    for note in filter(chosen, read_yolo(folder)) if chosen else read_yolo(folder):
        picture = read_picture(note.path)
        box = fit(Region(0, 0, picture.shape[1], picture.shape[0]))
        try:
            found = detector.look_rgb(picture)
        except DetectError:
            blind += 1
            continue
        scale = box.content_height / picture.shape[0]
        looks.append(Looked(note.path.name, note.boxes, note.labels, found, scale))
    return Set(folder.name, looks, blind)


def figures(judged: Set, thresholds: NDArray[np.float64]) -> dict[str, object]:
    """Everything about one set that a card or a table states."""
    count = max(len(judged.looks), 1)
    false = false_boxes(judged.looks, thresholds)
    result: dict[str, object] = {
        "pictures": len(judged.looks),
        "blind_looks": judged.blind,
        "false_boxes_per_picture": round(sum(false) / count, 4),
        "false_boxes": dict(zip(LABELS, false, strict=True)),
    }
    for label, name in enumerate(LABELS):
        heights, found = heights_and_found(judged.looks, label, thresholds)
        if len(heights):
            least = PROMISED_HEIGHT[name]
            promised = heights >= least
            result[name] = {
                "boxes": len(heights),
                "ap50": round(precision_recall(judged.looks, label).average_precision, 4),
                "recall": round(float(found.mean()), 4),
                "promised_from_px": least,
                "promised_boxes": int(promised.sum()),
                "promised_ap50": round(
                    precision_recall(judged.looks, label, least).average_precision, 4
                )
                if promised.any()
                else None,
                "promised_recall": round(float(found[promised].mean()), 4)
                if promised.any()
                else None,
                "recall_by_height": recall_by_height(judged.looks, label, thresholds),
            }
    return result


def recall_by_trait(
    judged: Set, traits: Path, thresholds: NDArray[np.float64]
) -> dict[str, object]:
    """Recall of cards by portrait (normal, dim, absent, back), as the rendered set notes it."""
    sidecar = json.loads(traits.read_text())
    counts: dict[str, list[int]] = {}
    card = LABELS.index("id_card")
    for look in judged.looks:
        heights, found = heights_and_found([look], card, thresholds)
        mine = [row for row in sidecar[Path(look.name).stem] if row["label"] == card]
        for row, height, hit in zip(mine, heights, found, strict=True):
            if height >= PROMISED_HEIGHT["id_card"]:
                tally = counts.setdefault(row["trait"], [0, 0])
                tally[0] += int(hit)
                tally[1] += 1
    return dict(sorted(counts.items()))


def evaluate(card: Path, folders: Sequence[Path]) -> tuple[list[Set], dict[str, object]]:
    """Look at every folder; figures by set at the card's thresholds."""
    detector = open_detector(card)
    thresholds = detector.card.threshold_array().astype(np.float64)
    sets = [look_at(detector, folder) for folder in folders]
    return sets, {judged.name: figures(judged, thresholds) for judged in sets}
