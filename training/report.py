"""What the evaluation leaves to be read: figures, plots, and the card's `measured`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.boxes import LABELS
from training import plots
from training.evaluate import evaluate, recall_by_trait
from training.export import save_card

PAGE = """# {name} {version}

Written by `python -m training evaluate`, at the thresholds of the model's card: {thresholds}.

AP50 is the area under the curve of precision and recall, a box counting as found where half of it
and its object's union is common to both. Small objects, which no detector of this size can promise
to find, count in the first AP50 and recall; the last columns are of the larger ones alone.

| set | pictures | false boxes a picture | class | boxes | AP50 | recall | larger | AP50 | recall |
|---|---|---|---|---|---|---|---|---|---|
{rows}

## What it is bad at

{weak}

## Curves

![Precision and recall](precision_recall.svg)
![Recall by height at the network's input](recall_by_height.svg)
![How often a score holds](calibration.svg)
"""
MISSES = """
## Its worst misses, on rendered pictures

![Pictures of rendered objects that were not found](misses.webp)
"""


def write_report(card: Path, folders: Sequence[Path], out: Path, rendered: Path | None) -> None:
    """Evaluate `card` on every folder and on `rendered`, whose pictures alone may be shown."""
    figures: dict[str, Any]
    out.mkdir(parents=True, exist_ok=True)
    folders = [*folders, rendered] if rendered else list(folders)
    sets, figures = evaluate(card, folders)
    facts = json.loads(card.read_text())
    thresholds = np.array([facts["thresholds"][label] for label in facts["labels"]], np.float64)
    if rendered:
        traits = rendered / "objects.json"
        figures["cards_by_portrait"] = recall_by_trait(sets[-1], traits, thresholds)
        plots.draw_misses(sets[-1], rendered, thresholds, out / "misses.webp")
    plots.draw_precision_recall(sets, out / "precision_recall.svg")
    plots.draw_recall_by_height(sets, thresholds, out / "recall_by_height.svg")
    plots.draw_calibration(sets, out / "calibration.svg")
    (out / "figures.json").write_text(
        json.dumps({"model": facts["sha256"], "version": facts["version"], **figures}, indent=2)
        + "\n"
    )
    (out / "README.md").write_text(page(facts, figures) + (MISSES if rendered else ""))
    facts["measured"] = figures
    save_card(card, facts)


def page(facts: dict[str, Any], figures: dict[str, Any]) -> str:
    """The figures in words and a table, in Markdown."""
    rows = [
        row for name, found in figures.items() if "pictures" in found for row in _rows(name, found)
    ]
    thresholds = ", ".join(f"{label} {value}" for label, value in facts["thresholds"].items())
    weak = "\n".join(f"- {text}" for text in facts["weak_at"]) or "Not written down yet."
    return PAGE.format(
        name=facts["name"], version=facts["version"], thresholds=thresholds,
        rows="\n".join(rows), weak=weak,
    )  # fmt: skip


def _rows(name: str, figures: dict[str, Any]) -> list[str]:
    of_set = [name, figures["pictures"], f"{figures['false_boxes_per_picture']:.3f}"]
    rows = []
    for label in filter(figures.get, LABELS):
        of_class = figures[label]
        larger = ["none", "", ""]
        if of_class["promised_boxes"]:
            which = f"{of_class['promised_boxes']} from {of_class['promised_from_px']:.0f} px"
            larger = [which, *_decimals(of_class, "promised_ap50", "promised_recall")]
        rows.append(
            [*of_set, label, of_class["boxes"], *_decimals(of_class, "ap50", "recall"), *larger]
        )
        of_set = ["", "", ""]
    return [f"| {' | '.join(map(str, row))} |" for row in rows or [[*of_set, *[""] * 7]]]


def _decimals(figures: dict[str, Any], *keys: str) -> list[str]:
    return [f"{figures[key]:.3f}" for key in keys]
