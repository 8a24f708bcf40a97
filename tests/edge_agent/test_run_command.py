"""`veilcast run` in a real terminal: keys, signals, the local calls, and the end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edge_agent.media_tools import free_port
from tests.faults.command import VEILCAST, finish, start, wait_until
from tests.faults.street import assert_plate_hidden, lumas, write_street

EVERY = 5  # pictures of a record that are looked at: it is as long as the machine is slow


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_street(tmp_path_factory.mktemp("clips") / "street.mp4", 4)


def state(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/state", timeout=5) as answer:
            shown: dict[str, Any] = json.load(answer)
            return shown
    except OSError:
        return {"state": "", "panic": None, "counts": {"protected": 0}}


def slates(port: int) -> int:
    """Pictures that left as a slate because of a panic."""
    return int(state(port)["counts"].get("veil_reasons", {}).get("panic", 0))


@contextlib.contextmanager
def terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command on a terminal of its own, and the end that a person types into."""
    keyboard, screen = pty.openpty()
    process = subprocess.Popen(
        [*VEILCAST, *arguments], stdin=screen, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(screen)
    try:
        yield process, keyboard
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)


def test_keys_panic_release_and_quit(street: Path, tmp_path: Path) -> None:
    port, copy = free_port(), tmp_path / "copy.mkv"
    arguments = ("run", "-i", str(street), "--loop", "-o", str(copy), "--port", str(port))
    with terminal(*arguments) as (process, keyboard):
        wait_until(lambda: state(port)["state"] == "PROTECTED", "the stream is protected")
        os.write(keyboard, b"p")
        wait_until(lambda: slates(port) > 0, "p panics")
        wait_until(lambda: state(port)["state"] == "HELD", "a slate is shown")
        os.write(keyboard, b"r")
        wait_until(lambda: state(port)["state"] == "PROTECTED", "r brings the picture back")
        os.write(keyboard, b"q")
        assert process.wait(30) == 0
    assert_plate_hidden(list(lumas(copy))[::EVERY])


def test_signals_panic_release_and_end_cleanly(street: Path, tmp_path: Path) -> None:
    port, copy = free_port(), tmp_path / "copy.mp4"
    agent = start("run", "-i", street, "--loop", "-o", copy, "--port", str(port), "--json")
    wait_until(lambda: state(port)["state"] == "PROTECTED", "the stream is protected")
    agent.send_signal(signal.SIGUSR1)
    wait_until(lambda: slates(port) > 0, "SIGUSR1 panics")
    wait_until(lambda: state(port)["state"] == "HELD", "a slate is shown")
    agent.send_signal(signal.SIGUSR2)
    wait_until(lambda: state(port)["state"] == "PROTECTED", "SIGUSR2 releases")
    agent.send_signal(signal.SIGTERM)
    done = finish(agent)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["veil_reasons"]["panic"] > 0
    assert not copy.with_name("copy.mp4.part").exists()
    assert_plate_hidden(list(lumas(copy))[::EVERY])


def test_a_wrong_sink_and_no_sink_are_refused_at_once(street: Path, tmp_path: Path) -> None:
    none = finish(start("run", "-i", street))
    assert (none.returncode, "--sink" in none.stderr) == (2, True)
    wrong = finish(start("run", "-i", street, "-o", tmp_path / "copy.xyz", "--port", "0"))
    assert (wrong.returncode, "copy.xyz" in wrong.stderr) == (6, True)


def test_an_absent_source_is_told_in_words(tmp_path: Path) -> None:
    done = finish(start("run", "-i", tmp_path / "absent.mp4", "-o", tmp_path / "copy.mkv"))
    assert done.returncode == 5
    assert "absent.mp4" in done.stderr
