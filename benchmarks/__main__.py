"""`make bench`: renders a clip and measures the agent on it. Every figure is printed as JSON."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import cpu_ratio, live
from examples.clip import CARD, DRIVE, PARCEL
from examples.film import write_film


def main(
    seconds: Annotated[float, typer.Option(help="How long the live streams run.")] = 60.0,
    runs: Annotated[int, typer.Option(help="Pairs of floor and agent.")] = 3,
    clip: Annotated[Path | None, typer.Option(help="Your own 720p clip at 30 fps.")] = None,
) -> None:
    """Measure CPU against the bare decode + encode floor, then live streams until it is too much.

    Leave the machine alone meanwhile: ratios are paired, but a busy core still shows.
    """
    with tempfile.TemporaryDirectory() as folder:
        if clip is None:
            clip = Path(folder) / "clip.mp4"
            write_film(clip, (DRIVE, PARCEL, CARD))
        large = Path(folder) / "large.mp4"
        _scale(clip, large)
        _tell("cpu_720p", cpu_ratio.measure(clip, "superfast", runs))
        _tell("cpu_1080p", cpu_ratio.measure(large, "superfast", runs))
        for presets in (["superfast"], ["superfast"] * 2, ["ultrafast"] * 3, ["ultrafast"] * 5):
            _tell("live_720p", live.measure(clip, presets, seconds))


def _scale(clip: Path, large: Path) -> None:
    """The same clip at 1080p, by FFmpeg's command."""
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(clip), "-an", "-vf", "scale=1920:1080"]
    subprocess.run([*command, "-preset", "veryfast", "-crf", "18", str(large)], check=True)


def _tell(name: str, figures: dict[str, Any]) -> None:
    typer.echo(json.dumps({"benchmark": name, **figures}))


if __name__ == "__main__":
    typer.run(main)
