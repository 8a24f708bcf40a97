"""`kill -9` in the middle of writing: what was done stays done, and nothing is there by half."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cloud_control.adapters.sqlite.store import SqliteStore
from tests.cloud_control.contracts.writer import PAIR

WRITER = [sys.executable, "-m", "tests.cloud_control.contracts.writer"]


def killed_after(commits: int, path: Path) -> int:
    """The last commit that a writer said was done, before it was killed while it went on."""
    with subprocess.Popen([*WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(commits):
            assert writer.stdout.readline(), "the writer ended by itself"
        writer.kill()
        said = writer.stdout.read().split()
    return int(said[-1]) if said else 0


@pytest.mark.parametrize("commits", [1, 7, 40])
def test_a_killed_writer_leaves_whole_commits(tmp_path: Path, commits: int) -> None:
    path = tmp_path / "control.sqlite"
    for _ in range(2):  # again on what the first one left
        said = killed_after(commits, path)
        with closing(SqliteStore(path)) as store:
            left, right = (store.get("pair", side) for side in PAIR)
            assert left is not None
            assert right is not None
            assert (left.value, left.revision) == (right.value, right.revision)
            assert left.revision >= max(said, commits)
