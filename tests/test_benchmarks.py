"""Benchmarks are run by hand: that each can still be started is tested here."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[1] / "benchmarks"
SOURCES = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.py"))}
if find_spec("PIL") is None:  # of the extra veilcast[train]
    del SOURCES["clips"], SOURCES["leaks"]
COMMANDS = [name for name, source in SOURCES.items() if "typer.run(" in source]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_benchmark_says_how_it_is_used(name: str) -> None:
    shown = run("-m", f"benchmarks.{name}", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--help" in shown.stdout


def test_their_parts_are_whole() -> None:
    parts = [name for name in SOURCES if name not in {*COMMANDS, "__init__", "__main__"}]
    shown = run("-c", f"import {', '.join(f'benchmarks.{name}' for name in parts)}")
    assert shown.returncode == 0, shown.stderr


def test_what_is_behind_another_object_need_not_be_hidden() -> None:
    pytest.importorskip("PIL", reason="of the extra veilcast[train]")
    from benchmarks.clips import Seen

    def square(x: int, y: int) -> NDArray[np.float32]:
        return np.array([[x, y], [x + 9, y], [x + 9, y + 9], [x, y + 9]], np.float32)

    alone = Seen(0, "0", "id_card", square(5, 5), legible=True)
    behind = replace(alone, behind=(square(10, 5),))
    assert alone.shows(20, 20).sum() == 100
    assert behind.shows(20, 20).sum() == behind.shows(20, 20)[5:15, 5:10].sum() == 50
