"""What the evaluation leaves to be read: figures, plots, and the card's `measured`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training import plots
from training.evaluate import evaluate, recall_by_trait
from training.export import save_card


def write_report(card: Path, folders: Sequence[Path], out: Path, rendered: Path | None) -> None:
    """Evaluate `card` on every folder and on `rendered`, whose pictures alone may be shown."""
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
    facts["measured"] = figures
    save_card(card, facts)
