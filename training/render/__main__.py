"""`python -m training.render`: build banks, look at scenes, write a validation set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.render import bank, sheets

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.callback()
def _root() -> None:
    """Render training pictures."""


@app.command("bank")
def make_bank(
    folder: Path,
    seed: Annotated[int, typer.Option(help="Same seed and count, same bytes.")] = 1,
    count: Annotated[int, typer.Option(help="Cards and plates each; twice as many labels.")] = 3000,
    parcels: Annotated[list[Path], typer.Option(help="Photographs of parcels.")] = [],  # noqa: B006
    portraits: Annotated[list[Path], typer.Option(help="Photographs of people.")] = [],  # noqa: B006
    workers: int = 2,
) -> None:
    """Draw the banks of flat objects into FOLDER."""
    bank.build(folder, seed, count, parcels, portraits, workers)


@app.command("sheet")
def make_sheet(
    out: Path,
    banks: Path,
    backgrounds: Path,
    seed: int = 1,
    count: int = 40,
    split: Annotated[str, typer.Option(help="train or val layouts")] = "train",
) -> None:
    """Write a contact sheet of scenes with their boxes to OUT (PNG)."""
    loaded = bank.load_banks(banks, "val" if split == "val" else "train")
    sheets.sheet(out, loaded, backgrounds, seed, count)


@app.command("valset")
def make_valset(
    folder: Path,
    banks: Path,
    backgrounds: Annotated[
        Path | None, typer.Argument(help="Photographs to draw upon; else the ground is drawn too.")
    ] = None,
    seed: int = 7,
    count: int = 400,
) -> None:
    """Write pictures of held-out layouts, their YOLO labels and objects.json to FOLDER."""
    sheets.valset(folder, bank.load_banks(banks, "val"), backgrounds, seed, count)


if __name__ == "__main__":
    app()
