"""Thresholds from what a leak costs and what covering the innocent costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.boxes import LABELS
from edge_agent.detect.onnx_detector import OnnxDetector
from training.data import held_out
from training.evaluate import PROMISED_HEIGHT, look_at, open_detector
from training.export import save_card
from training.metrics import Looked, false_boxes, heights_and_found

CANDIDATES = np.round(np.arange(0.10, 0.81, 0.02), 2)


@dataclass(frozen=True, slots=True)
class Cost:
    """leak: of one object that stays visible; cover: of one box over nothing secret.

    A leak cannot be taken back, while a false box spoils a corner of a few frames: ten to one.
    `most_false` caps what people put up with, in boxes a picture that shows nothing. A cap of
    0.05 left a third of the real labels bare; bring it down again when the network is better.
    """

    leak: float = 10.0
    cover: float = 1.0
    most_false: float = 0.20


def choose_for_card(card: Path, shown: Sequence[Path], empty: Sequence[Path]) -> dict[str, float]:
    """Choose on held-out pictures of these sets and write the result into the card."""
    detector, cost = open_detector(card), Cost()
    with_objects = [look for folder in shown for look in looks(detector, folder)]
    without = [look for folder in empty for look in looks(detector, folder)]
    chosen = choose(with_objects, without, PROMISED_HEIGHT, cost)
    facts = json.loads(card.read_text())
    facts["thresholds"] = {name: float(t) for name, t in zip(LABELS, chosen, strict=True)}
    facts["thresholds_why"] = (
        f"a leak costs {cost.leak:g} false boxes, of which at most {cost.most_false:g} a picture;"
        f" chosen on {len(with_objects)} held-out or rendered pictures with objects and"
        f" {len(without)} without"
    )
    save_card(card, facts)
    return dict(facts["thresholds"])


def looks(detector: OnnxDetector, folder: Path) -> list[Looked]:
    """A training set's held-out pictures; of a rendered set, which nothing is trained on, all."""
    rendered = (folder / "objects.json").exists()
    return look_at(detector, folder, None if rendered else held_out).looks


def choose(
    shown: Sequence[Looked],
    empty: Sequence[Looked],
    promised: dict[str, float],
    cost: Cost,
) -> NDArray[np.float64]:
    """The cheapest threshold for each class of `LABELS`, (3,).

    `shown` are pictures with objects, `empty` are ones without any; only objects of the promised
    height (px at the input) count as leaks. Where the cap is exceeded, false boxes grow dearer for
    all classes alike until it is met: whichever class loses least by giving some up does so.
    """
    missed = np.zeros((len(LABELS), len(CANDIDATES)))  # share of the objects
    false = np.zeros_like(missed)  # boxes a picture
    for label, name in enumerate(LABELS):
        for i, threshold in enumerate(CANDIDATES):
            only = np.full(len(LABELS), np.inf)
            only[label] = threshold
            heights, found = heights_and_found(shown, label, only)
            leaks = ~found[heights >= promised[name]]
            missed[label, i] = leaks.mean() if len(leaks) else 0.0
            false[label, i] = false_boxes(empty, only)[label] / max(len(empty), 1)
    classes = np.arange(len(LABELS))
    for price in np.geomspace(cost.cover, 1e6 * cost.leak, 600):
        chosen: NDArray[np.intp] = np.argmin(cost.leak * missed + price * false, axis=1)
        if false[classes, chosen].sum() <= cost.most_false:
            break
    return CANDIDATES[chosen]
