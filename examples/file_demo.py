"""Protects a rendered film as a file, and checks that nothing of what it hid can be seen."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
from rich.console import Console

from examples.clip import CARD, DRIVE, PARCEL
from examples.film import Film, write_film
from examples.installation import DemoError
from examples.leaks import leaks

VEILCAST = Path(sys.executable).with_name("veilcast")
LOW_PRIORITY = 15


def main(folder: str) -> int:
    """Leave the clip, its protected copy, a picture and a report in `folder`; 1 if it leaked."""
    console = Console()
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    clip = out / "clip.mp4"
    console.print("rendering a clip: a car, a parcel, an ID card")
    film = write_film(clip, (DRIVE, PARCEL, CARD))
    if status := subprocess.run(_redact(clip, out), check=False).returncode:
        return status
    shown, total = leaks(clip, out / "protected.mp4", film)
    console.print(f"object-frames that can still be seen: [bold]{shown}[/bold] of {total}")
    console.print(f"watch {out / 'protected.mp4'}, look at {out / 'look.png'}")
    return 1 if shown else 0


def hides(clip: Path, film: Film, out: Path, ending: threading.Event) -> tuple[int, int] | None:
    """Protect a clip beside other work; the object-frames that can still be seen, of how many.

    None if the end came first. Raises DemoError if it fails.
    """
    process = subprocess.Popen(
        _redact(clip, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    psutil.Process(process.pid).nice(LOW_PRIORITY)
    while process.poll() is None:
        if ending.wait(0.1):
            process.send_signal(signal.SIGINT)
            process.wait()
            return None
    if process.returncode:
        raise DemoError(f"veilcast redact failed with status {process.returncode}")
    return leaks(clip, out / "protected.mp4", film)


def _redact(clip: Path, out: Path) -> list[str | Path]:
    """The command that protects a clip into `out`."""
    return [
        VEILCAST, "redact", clip, out / "protected.mp4", "--force",
        "--contact-sheet", out / "look.png", "--report", out / "report.jsonl",
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
