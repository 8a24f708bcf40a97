"""`python -m training`: from labelled pictures to a model with its card."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from edge_agent.errors import SettingsError, VeilcastError

if TYPE_CHECKING:
    from training.model import Detector

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="""Make a detector: from labelled pictures to models/onnx.

    1. `import` every labelled set into DATA/NAME (images/ and labels/).
    2. `python -m training.render bank BANKS` draws plates, cards and labels to paste.
    3. `train RUN --data DATA --banks BANKS --hours 2` (again, with more hours, to go on).
    4. `mine RUN` finds hard negatives; `train` picks them up when it is started again.
    5. `export RUN` writes the model and its card; `thresholds` chooses the card's thresholds.
    6. `evaluate CARD SET...` writes figures and plots; `pack` keeps what is needed to go on.
    7. `quantise CARD` adds the int8 form that processors with VNNI run.
    """,
)
Data = Annotated[Path, typer.Option(help="Folder of labelled sets, one folder each.")]
Names = Annotated[list[str], typer.Option(help="The set's class = ours, e.g. plate=license_plate.")]
Checkpoint = Annotated[Path, typer.Argument(help="A checkpoint: RUN/latest.pt or a packed one.")]
Card = Annotated[Path, typer.Argument(help="A model card, NAME.json beside NAME.onnx.")]


@app.command("import")
def import_set(
    form: Annotated[str, typer.Argument(help="yolo, voc or coco.")],
    source: Annotated[Path, typer.Argument(help="The set's folder; for coco its images.")],
    target: Annotated[Path, typer.Argument(help="DATA/NAME, made if missing.")],
    name: Names = [],  # noqa: B006 (typer copies it)
    notes: Annotated[Path | None, typer.Option(help="The JSON file of a coco set.")] = None,
) -> None:
    """Copy a labelled set into the one form that training reads."""
    from training import data

    names = dict(_pair(text) for text in name)
    if form == "yolo":
        found = data.read_yolo(source)
    elif form == "voc":
        found = data.read_voc(source, names)
    elif form == "coco" and notes:
        found = data.read_coco(notes, source, names)
    else:
        raise SettingsError(f"'{form}' is no known form; use yolo, voc, or coco with --notes")
    print(f"{data.write_yolo(found, target)} pictures in {target}")


@app.command()
def train(
    run: Annotated[Path, typer.Argument(help="The run's folder; resumed where it stands.")],
    *,
    data: Data,
    banks: Annotated[Path, typer.Option(help="Folder written by `training.render bank`.")],
    hours: Annotated[float, typer.Option(help="The whole schedule, earlier sittings included.")],
    workers: Annotated[int, typer.Option(help="Loader processes.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads of the training process.")] = 1,
    compiled: Annotated[bool, typer.Option(help="Compile first: a quarter faster.")] = True,
    batch: Annotated[int, typer.Option(help="Pictures a step, in each process.")] = 32,
    held: Annotated[bool, typer.Option(help="Leave the first two layers as they are.")] = False,
    rate: Annotated[float, typer.Option(help="Highest learning rate; less to go on.")] = 1.5e-3,
    start: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to begin a new schedule from; may be a narrower network's."),
    ] = None,
    network: Annotated[str, typer.Option(help="veil-nano or veil-small.")] = "veil-nano",
    teacher: Annotated[
        Path | None, typer.Option(help="Checkpoint of a larger network, to imitate as well.")
    ] = None,
) -> None:
    """Train, or go on training.

    On a CPU one process for each core trains faster than one with many threads:

    OMP_NUM_THREADS=1 torchrun --standalone --nproc-per-node 2 -m -- training train RUN ...
    """
    import torch

    from training.mixture import Places
    from training.model import NETWORKS
    from training.train import Run, train

    if network not in NETWORKS:
        raise SettingsError(f"'{network}' is no network; there are {', '.join(NETWORKS)}")
    torch.set_num_threads(threads)
    places = Places(data, run / "store", banks)
    options = (hours, workers, device, compiled, rate, batch, held, start, network, teacher)
    train(Run(run, places, *options))


@app.command()
def mine(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    doubts: Annotated[
        Path | None, typer.Option(help="Another checkpoint, to mark plates nobody labelled.")
    ] = None,
) -> None:
    """Look for false boxes on the sets that show nothing, for the next sitting of `train`."""
    import torch

    from training.mining import mine_doubts, mine_hard
    from training.model import averaged_detector

    def detector(checkpoint: Path) -> Detector:
        return averaged_detector(torch.load(checkpoint, map_location="cpu", weights_only=True))

    print(mine_hard(detector(run / "latest.pt"), run / "store"))
    if doubts:
        print(mine_doubts(detector(doubts), run / "store"))


@app.command()
def export(
    checkpoint: Checkpoint,
    version: Annotated[str, typer.Option(help="Version on the card, rising with every release.")],
    card: Card = Path("models/onnx/veil-nano.json"),
) -> None:
    """Write the ONNX model and its card, and check that the device reads both alike."""
    from training.export import release

    release(checkpoint, card, version)
    print(f"{card} and its model are written; choose thresholds next")


@app.command()
def pack(
    checkpoint: Checkpoint,
    target: Annotated[Path, typer.Argument()] = Path("training/checkpoints/veil-nano.pt"),
) -> None:
    """Write a small checkpoint to keep; copied to RUN/latest.pt, `train` goes on from it."""
    from training.export import pack

    pack(checkpoint, target)


@app.command()
def thresholds(
    card: Card,
    shown: Annotated[list[Path], typer.Option(help="Sets that show objects, held out.")],
    empty: Annotated[list[Path], typer.Option(help="Sets that show none, held out.")],
) -> None:
    """Choose the card's thresholds from what a leak and what a false box costs."""
    from training.thresholds import choose_for_card

    print(json.dumps(choose_for_card(card, shown, empty), indent=2))


@app.command()
def evaluate(
    card: Card,
    sets: Annotated[list[Path], typer.Argument(help="Folders with images/ and labels/.")],
    out: Annotated[
        Path | None, typer.Option(help="Where figures and plots go; else docs/detector/NAME.")
    ] = None,
    rendered: Annotated[Path | None, typer.Option(help="Set whose misses may be shown.")] = None,
) -> None:
    """Write figures and plots: precision and recall, recall by height, calibration, misses."""
    from training.report import write_report

    write_report(card, sets, out or Path("docs/detector", card.stem), rendered)


@app.command()
def quantise(
    card: Card,
    calibration: Annotated[list[Path], typer.Option(help="Sets whose pictures set the ranges.")],
    judge: Annotated[list[Path], typer.Option(help="Sets on which the loss is measured.")],
) -> None:
    """Write the int8 form beside the model. Comes last: it takes over the card's thresholds."""
    from training.quantise import quantise_card

    measured = json.loads(quantise_card(card, calibration, judge).read_text())["measured"]
    print(json.dumps({k: measured[k] for k in ("lost_to_int8", "milliseconds_a_look")}, indent=2))


def _pair(text: str) -> tuple[str, str]:
    theirs, separator, ours = text.partition("=")
    if not separator:
        raise SettingsError(f"'{text}' is no pair; write e.g. plate=license_plate")
    return theirs, ours


def main() -> None:
    try:
        app()
    except VeilcastError as problem:
        Console(stderr=True).print(f"error: {problem}", style="red", highlight=False)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
