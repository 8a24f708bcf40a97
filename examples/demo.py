"""`make demo`: the whole platform on this machine, with faults, until Ctrl-C or DEMO_SECONDS.

Two agents stream rendered clips through a control plane and its ingest. A viewer of the
demonstration's own compares every picture that is served with what the clips show, and anybody else
may watch in a browser. Beside that, one clip is protected as a file.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from cloud_control.errors import ControlError
from edge_agent.errors import VeilcastError
from examples import file_demo
from examples.film import Film, write_film
from examples.installation import DemoError, EndedEarlyError, Installation
from examples.leaks import secrets_of
from examples.report import Result, summarise
from examples.show import FPS, SIZE, STREAMS, Show, Stream
from examples.spectator import Spectator

PORT = 8080
WITHOUT_A_PERSON_S = 30.0
LEGIBLE = 12  # pixels: what is lower cannot be read
A_QUARTER = 0.25  # of an object: a sliver at the picture's edge tells nothing


def main(folder: str) -> int:
    """Leave the protected file, a report and logs in `folder`; 1 if anything leaked or failed."""
    console = Console(highlight=False)
    out = Path(folder).resolve()
    for old in ("live", "logs"):
        shutil.rmtree(out / old, ignore_errors=True)
    (out / "logs").mkdir(parents=True)
    began, seconds = time.monotonic(), _seconds()
    ending = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ending.set())
    result = Result()
    private = Path(tempfile.mkdtemp(prefix="veilcast-demo-"))
    try:
        with _staged(out, private, console, result, ending) as stage:
            _announce(console, stage, seconds, time.monotonic() - began)
            stage.run(seconds, ending)
    except (DemoError, VeilcastError, ControlError) as problem:
        result.failures.append(str(problem))
    except EndedEarlyError:
        console.print("ended before anything could be seen")
        return 0
    finally:
        shutil.rmtree(private, ignore_errors=True)
    summarise(console, result, out)
    return 1 if result.bad else 0


@contextmanager
def _staged(
    out: Path, private: Path, console: Console, result: Result, ending: threading.Event
) -> Iterator[Show]:
    """Everything runs, and both streams are live. At the end, everything is gone."""
    console.print("rendering two clips, starting a control plane, protecting a clip as a file")
    with ThreadPoolExecutor() as pool:
        films = {one.id: pool.submit(_render, one, out / f"{one.id}.mp4") for one in STREAMS}
        there = Installation(private, out / "logs", PORT, ending)
        spectators: list[Spectator] = []
        try:
            files = pool.submit(_protect_file, films[STREAMS[0].id], out, ending)
            there.wait_until_ready()
            joining = [pool.submit(_join, there, one, out / f"{one.id}.mp4") for one in STREAMS]
            for joined in joining:
                joined.result()
            stage = Show(there, private / "fault", console, result)
            stage.start()
            for one in STREAMS:
                spectators.append(_spectator(one, there, *films[one.id].result(), out))
                result.lines[one.id].seen = spectators[-1].seen
            yield stage
            stage.count()
            result.file = files.result()
        finally:
            for spectator in spectators:
                spectator.close()
            there.close()


def _render(stream: Stream, clip: Path) -> tuple[Path, Film]:
    return clip, write_film(clip, stream.scenes, fps=FPS, size=SIZE, numbered=True)


def _join(there: Installation, one: Stream, clip: Path) -> None:
    there.enrol(one.agent, clip)
    there.add_stream(one.agent, one.id, one.title, one.category)


def _protect_file(
    rendered: Future[tuple[Path, Film]], out: Path, ending: threading.Event
) -> tuple[int, int] | None:
    return file_demo.hides(*rendered.result(), out, ending)


def _spectator(stream: Stream, there: Installation, clip: Path, film: Film, out: Path) -> Spectator:
    playlist = f"{there.url}/hls/{stream.id}/index.m3u8"
    secrets = secrets_of(clip, film, smallest=LEGIBLE, least=A_QUARTER)
    spectator = Spectator(playlist, secrets, FPS, out / "live" / stream.id)
    spectator.start()
    return spectator


def _announce(console: Console, stage: Show, seconds: float, took: float) -> None:
    end = "Ctrl-C ends it" if math.isinf(seconds) else f"it ends after {seconds:.0f} s"
    console.print(f"after {took:.0f} s: both streams are live\n")
    console.print(f"watch   [bold]{stage.url}/[/bold]")
    console.print(f"fleet   [bold]{stage.url}/fleet[/bold]", soft_wrap=True)
    console.print(f"token   {stage.token}", soft_wrap=True)
    console.print(f"{end}; “{STREAMS[1].title}” suffers a fault now and then\n")


def _seconds() -> float:
    """How long both streams shall be live. Without a person to press Ctrl-C it has to end."""
    with suppress(ValueError):
        return max(1.0, float(os.environ.get("DEMO_SECONDS", "")))
    return math.inf if sys.stdout.isatty() and "CI" not in os.environ else WITHOUT_A_PERSON_S


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
