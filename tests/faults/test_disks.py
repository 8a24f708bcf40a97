"""Outputs that cannot be written: no file of the final name, a sentence and a status."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from edge_agent.errors import SinkError
from tests.faults.command import redact

LIMIT = 60_000  # bytes; the protected clip is several times as large


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


@pytest.mark.parametrize("name", ["safe.mp4", "safe.mkv", "safe.flv", "safe.mov"])
def test_a_file_that_outgrows_its_limit_leaves_nothing(
    name: str, street: Path, tmp_path: Path
) -> None:
    done = redact(street, tmp_path / name, before=small_files)
    assert done.returncode == SinkError.exit_code == 6
    assert "cannot write" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["safe.mp4", "safe.mkv"])
def test_a_full_disk_leaves_no_file_of_the_final_name(
    name: str, street: Path, tmp_path: Path
) -> None:
    (tmp_path / (name + ".part")).symlink_to("/dev/full")
    done = redact(street, tmp_path / name)
    assert done.returncode == SinkError.exit_code
    assert "cannot write" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written_stops_the_work(street: Path, tmp_path: Path) -> None:
    (tmp_path / "report.jsonl.part").symlink_to("/dev/full")
    report = str(tmp_path / "report.jsonl")
    done = redact(street, tmp_path / "safe.mp4", "--report", report)
    assert done.returncode == SinkError.exit_code
    assert "report" in done.stderr
    assert list(tmp_path.iterdir()) == []
