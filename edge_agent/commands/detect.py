"""`veilcast detect`: boxes on still pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from edge_agent import flags
from edge_agent.boxes import LABELS, Detections
from edge_agent.build import load_model
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.errors import SinkError, SourceError, VeilcastError
from edge_agent.pictures import SUFFIXES, look_at, pictures_in, read_picture
from edge_agent.preview import OUTLINE_COLOURS, outline
from edge_agent.thumbnail import Picture

DRAWN_SUFFIXES = SUFFIXES - {".avif"}


def detect(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE", help="Pictures, or folders of pictures.")
    ],
    config: flags.Config = None,
    model: flags.Model = None,
    thresh: flags.Thresh = None,
    show: flags.Show = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write copies with the boxes drawn in. Nothing is hidden in these copies.",
        ),
    ] = None,
    tiles: Annotated[
        bool,
        typer.Option(help="Look at large pictures in parts as well, for small objects."),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture.")] = False,
) -> None:
    """Say where shipping labels, ID cards and license plates are in pictures.

    Boxes are in pixels of the picture as it is seen, after its EXIF
    orientation. A picture that cannot be read is told on stderr, the
    others go on, and the exit status is 5.

    [bold]Examples[/bold]

      veilcast detect parcel.jpg

      veilcast detect photos/ --json --thresh 0.3 > found.jsonl

      veilcast detect photos/ --out drawn/ --thresh license_plate=0.2
    """
    settings = flags.settings_from(config=config, model=model, thresh=thresh, show=show)
    loaded = load_model(settings)
    detector = OnnxDetector(loaded.card, thresholds=loaded.strong)
    console, table = Console(stderr=True), _table()
    pictures, failed = list(pictures_in(images)), 0
    # The bar must not take over stdout: what is printed there may be going into a file.
    with Progress(
        console=console, transient=True, redirect_stdout=False, disable=as_json
    ) as progress:
        for path, place in progress.track(pictures, description="looking"):
            try:
                picture = read_picture(path)
                found = look_at(detector, picture, nms_iou=loaded.card.nms_iou, tiled=tiles)
                if out is not None:
                    _draw(picture, found, out / place)
            except VeilcastError as error:
                failed += 1
                console.print(str(error), style="red", highlight=False, markup=False)
                continue
            if as_json:
                typer.echo(json.dumps(_record(path, picture, found)))
            else:
                _add_rows(table, path, found)
    if table.rows:
        Console().print(table)
    if not pictures:
        raise SourceError("no picture there: name files, or folders that hold some")
    if failed:
        raise SourceError(f"{failed} of {len(pictures)} pictures could not be looked at")


def _record(path: Path, picture: Picture, found: Detections) -> dict[str, Any]:
    height, width = picture.shape[:2]
    return {
        "file": str(path),
        "width": width,
        "height": height,
        "detections": [
            {
                "label": LABELS[label],
                "score": round(score, 5),
                **{name: round(side, 2) for name, side in _corners(box)},
            }
            for box, score, label in _rows(found)
        ],
    }


def _corners(box: list[float]) -> Iterator[tuple[str, float]]:
    return zip(("x1", "y1", "x2", "y2"), box, strict=True)


def _rows(found: Detections) -> Iterator[tuple[list[float], float, int]]:
    return zip(found.xyxy.tolist(), found.score.tolist(), found.label.tolist(), strict=True)


def _table() -> Table:
    table = Table(
        Column("picture", overflow="fold"), "found", "score", "left", "top", "right", "bottom"
    )
    for column in table.columns[2:]:
        column.justify = "right"
    return table


def _add_rows(table: Table, path: Path, found: Detections) -> None:
    name = str(path)
    for box, score, label in _rows(found):
        sides = [f"{side:.0f}" for side in box]
        table.add_row(name, LABELS[label].replace("_", " "), f"{score:.2f}", *sides)
        name = ""
    if not len(found):
        table.add_row(name, "nothing")


def _draw(picture: Picture, found: Detections, target: Path) -> None:
    """Write a copy with outlines and scores; kinds that cannot be written become PNG."""
    drawn = picture.copy()
    for box, score, label in _rows(found):
        words = f"{LABELS[label].replace('_', ' ')} {score:.2f}"
        outline(drawn, [round(side) for side in box], words, OUTLINE_COLOURS[LABELS[label]])
    if target.suffix.lower() not in DRAWN_SUFFIXES:
        target = target.with_name(target.name + ".png")
    _, encoded = cv2.imencode(target.suffix.lower(), drawn)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encoded.tobytes())
    except OSError as error:
        raise SinkError(f"--out {target}: {error.strerror}") from error
