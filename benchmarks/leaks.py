"""What the agent, with its real model, leaves uncovered on clips whose truth is known."""

from __future__ import annotations

import csv
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import track

from benchmarks.clips import Seen, write_clip
from edge_agent.build import load_model
from edge_agent.recorded import Job, redact_file
from edge_agent.redact.protected import ProtectedFrame, State
from edge_agent.settings import load_settings
from training.render.bank import load_banks

COVERED = 0.9  # of an object's pixels that show: less is a leak
LEGIBLE = 2  # in the truth of real clips: readable by a person


class Tally:
    """Looks at every frame that leaves, beside its truth."""

    def __init__(self, truth: Iterable[Seen]) -> None:
        self._truth: dict[int, list[Seen]] = defaultdict(list)
        for seen in truth:
            self._truth[seen.frame].append(seen)
        self.frames = self.veiled = 0
        self.legible: dict[str, int] = defaultdict(int)
        self.leaked: dict[str, int] = defaultdict(int)
        self.hidden_area = self.true_area = 0.0
        self._before: dict[str, bool] = {}
        self.toggles = 0

    def see(self, frame: ProtectedFrame, _rescued: bool) -> None:
        index, self.frames = self.frames, self.frames + 1
        if frame.state is not State.PROTECTED:
            self.veiled += 1
            return
        hidden = np.zeros((frame.height, frame.width), np.uint8)
        for x1, y1, x2, y2 in frame.cover.xyxy:
            hidden[y1:y2, x1:x2] = 1
        true = np.zeros_like(hidden)
        for seen in self._truth[index]:
            mask = seen.shows(frame.height, frame.width)
            true |= mask
            covered = bool((mask & hidden).sum() >= COVERED * mask.sum())
            self.toggles += self._before.get(seen.track, covered) != covered
            self._before[seen.track] = covered
            if seen.legible:
                self.legible[seen.label] += 1
                self.leaked[seen.label] += not covered
        self.hidden_area += float(hidden.sum())
        self.true_area += float(true.sum())


def main(
    banks: Annotated[Path | None, typer.Option(help="Drawn objects (`training.render`).")] = None,
    backdrops: Annotated[Path | None, typer.Option(help="Pictures that show none of them.")] = None,
    clips: Annotated[int, typer.Option(help="How many clips to render.")] = 40,
    seed: Annotated[int, typer.Option(help="Number of the first clip.")] = 1000,
    real: Annotated[list[Path], typer.Option(help="A clip with NAME.csv beside it.")] = [],  # noqa: B006
    model: Annotated[str, typer.Option(help="Name of a model or path of its card.")] = "veil-nano",
    keep: Annotated[Path | None, typer.Option(help="Folder to keep clips and outputs in.")] = None,
) -> None:
    """Count legible objects that left the gate less than nine tenths covered, per object-frame.

    Rendered clips show layouts that training never saw. The truth of a real clip is a CSV file:
    frame, track, x1, y1, x2, y2, legible (2: readable by a person).
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for clip in real:
            _tell(clip.stem, [_measure(clip, list(_read_truth(clip)), folder, model)])
        if banks:
            loaded = load_banks(banks, "val")
            files = sorted(backdrops.iterdir()) if backdrops else []
            tallies = []
            for number in track(range(seed, seed + clips), description="clips"):
                clip = folder / f"clip{number}.mp4"
                truth = write_clip(clip, loaded, files, number)
                tallies.append(_measure(clip, truth, folder, model))
            _tell("rendered", tallies)


def _measure(clip: Path, truth: list[Seen], folder: Path, model: str) -> Tally:
    settings = load_settings(None, {"protect": {"model": model}})
    tally = Tally(truth)
    target = folder / f"{clip.stem}.protected.mp4"
    redact_file(Job(clip, target, observers=(tally.see,)), settings, load_model(settings))
    return tally


def _read_truth(clip: Path) -> Iterator[Seen]:
    with clip.with_suffix(".csv").open() as file:
        for row in csv.DictReader(file):
            x1, y1, x2, y2 = (float(row[side]) for side in ("x1", "y1", "x2", "y2"))
            corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)
            legible = int(row["legible"]) == LEGIBLE
            yield Seen(int(row["frame"]), row["track"], "license_plate", corners, legible)


def _tell(name: str, tallies: list[Tally]) -> None:
    """Print the figures of some clips together, as one JSON line."""
    figures: dict[str, Any] = {"benchmark": "leaks", "clips": name}
    for what in ("legible", "leaked"):
        total: dict[str, int] = defaultdict(int)
        for tally in tallies:
            for label, count in getattr(tally, what).items():
                total[label] += count
        figures[what] = dict(total)
    legible, leaked = sum(figures["legible"].values()), sum(figures["leaked"].values())
    figures["leaked_percent"] = round(100 * leaked / max(legible, 1), 3)
    figures["frames"] = sum(t.frames for t in tallies)
    figures["veiled"] = sum(t.veiled for t in tallies)
    figures["toggles"] = sum(t.toggles for t in tallies)
    true = sum(t.true_area for t in tallies)
    figures["hidden_to_true_area"] = round(sum(t.hidden_area for t in tallies) / max(true, 1), 2)
    typer.echo(json.dumps(figures))


if __name__ == "__main__":
    typer.run(main)
