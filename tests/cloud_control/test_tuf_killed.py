"""`kill -9` in the middle of a change: devices see all of it or nothing, and work goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def files(version: str) -> list[str]:
    return [f"veil/{version}/veil.json", f"veil/{version}/veil.onnx"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("change", "before", "after", "steps"),
    [
        ("publish", files("1.0.0"), files("1.0.0") + files("2.0.0"), 5),
        ("revoke", files("1.0.0"), [], 5),
        ("rotate", files("1.0.0"), files("1.0.0"), 6),
    ],
)
def test_a_change_is_seen_as_a_whole_or_not_at_all(
    tmp_path: Path, change: str, before: list[str], after: list[str], steps: int
) -> None:
    command = [sys.executable, "-m", "tests.cloud_control.tuf_killed", str(tmp_path), change]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(lines) > steps
    for line in lines:
        assert line["seen"] in (before, after)
        assert line["later"] == sorted(line["seen"] + files("3.0.0"))
    assert lines[0]["seen"] == before
    assert lines[-1] == {**lines[-1], "killed": False, "seen": after}
