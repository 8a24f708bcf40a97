"""The libraries inside report to nobody and leave no traces of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOAD_AND_LOOK = """
from edge_agent.detect.card import find_model, load_card
from edge_agent.detect.self_test import self_test
self_test(load_card(find_model()))
"""


def traces(folder: Path, code: str, **environment: str) -> list[Path]:
    """The files that a Python process leaves in its home and its folder for temporary files."""
    folder.mkdir()
    given = {k: v for k, v in os.environ.items() if k not in {"ORT_DISABLE_TELEMETRY", "CI"}}
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(folder))
    subprocess.run([sys.executable, "-c", code], env=given | places | environment, check=True)
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_look_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    assert traces(tmp_path / "home", LOAD_AND_LOOK) == []


def test_telemetry_is_off_whatever_the_environment_says(tmp_path: Path) -> None:
    assert traces(tmp_path / "home", LOAD_AND_LOOK, ORT_DISABLE_TELEMETRY="0") == []
