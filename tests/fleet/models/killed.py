"""Runs a model update again and again, each time killed one step later, then lets it finish.

python -m tests.fleet.models.killed HOME SITE prints a JSON line for each step: where the update was
killed, which model the device had after that, and which in the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.detect.card import find_model
from edge_agent.fleet.models import installer
from edge_agent.fleet.models.store import ModelStore
from edge_agent.fleet.models.transfer import ModelSource
from edge_agent.fleet.models.updates import ModelUpdates
from tests.fleet.models.workshop import QUICK, WAIT_S, StandInHost, wanted

NEW = "9.1.0"


class Reaper:
    """Kills this very process, by signal 9, just before its step number `at`."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, what: str) -> None:
        self.left -= 1
        if self.left == 0:
            say(what)
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: Any, name: str) -> None:
        """Let every call of a function be a step."""
        real = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            paths = [arg for arg in args if isinstance(arg, str | Path)]
            place = Path(paths[-1]).name if paths else ""
            if not (name == "unlink" and place.endswith(".part")):  # there is none, as a rule
                self.step(f"{name} {place}")
            return real(*args, **kwargs)

        setattr(owner, name, watched)


def update(home: Path, site: str, at: int) -> None:
    """Bring the new version into use, unless killed on the way."""
    reaper = Reaper(at)
    for owner, name in ((os, "replace"), (os, "unlink"), (shutil, "rmtree")):
        reaper.watch(owner, name)
    reaper.watch(StandInHost, "use_model")
    say(run(home, site))


def run(home: Path, site: str) -> str:
    """Start on what is there, and finish; returns what ran at first."""
    updates = begin(home, site)
    running = updates.running
    updates.want(wanted(NEW), False)
    deadline = time.monotonic() + WAIT_S
    while (now := updates.update) is None or (now.version, now.step) != (NEW, "done"):
        assert time.monotonic() < deadline, f"not done: {now}"
        time.sleep(0.002)
    updates.close()
    assert updates.running
    assert updates.running.version == NEW
    return running.version if running else "nothing"


def begin(home: Path, site: str) -> ModelUpdates:
    source = ModelSource(f"{site}/metadata/", f"{site}/targets/", home / "root.json")
    return ModelUpdates(
        home / "models", source, built_in=find_model(), host=StandInHost(), on_change=lambda: None,
        times=QUICK,
    )  # fmt: skip


def say(text: str) -> None:
    """Print at once: what is killed flushes nothing."""
    os.write(1, text.encode())


def in_a_process(work: Callable[[], None]) -> tuple[int, str]:
    """Fork, work, and return how it ended and what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        try:
            work()
        except BaseException:  # noqa: BLE001 - a child must not go on as its parent
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        printed = said.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), printed


def kill_at(at: int, home: Path, site: str) -> dict[str, str | int | bool]:
    """One update that is killed at that step, one that goes on, and one start more."""
    ended, what = in_a_process(lambda: update(home, site, at))
    store = ModelStore(home / "models", find_model())
    whole = all(store.is_whole(path.name) for path in (home / "models" / "kept").iterdir())
    resumed, after = in_a_process(lambda: say(run(home, site)))
    return {
        "killed_at": what, "ended": ended, "whole": whole, "after": after,
        "resumed": resumed,
    }  # fmt: skip


def main(home: Path, site: str) -> None:
    installer.run_self_test = lambda _: {}
    os.fsync = lambda _: None  # the machine stays up
    tls = ssl.create_default_context()
    ssl.create_default_context = lambda: tls  # reading all authorities takes longer than the rest
    at, killed = 0, True
    while killed:
        at += 1
        copy = home.with_name(f"copy-{at}")
        shutil.copytree(home, copy, symlinks=True)
        line = kill_at(at, copy, site)
        say(json.dumps(line) + "\n")
        killed = line["ended"] == -signal.SIGKILL
        shutil.rmtree(copy)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
