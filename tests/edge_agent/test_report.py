from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.errors import SinkError
from edge_agent.report import ReportWriter
from tests.edge_agent.shown import STALE, make_gate, shown


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_frame_gets_a_line_with_what_was_hidden(tmp_path: Path) -> None:
    gate, path = make_gate(), tmp_path / "report.jsonl"
    writer = ReportWriter(path)
    writer.see(shown(gate, 5, (100, 50, 180, 90), label=2), rescued=True)
    writer.see(shown(gate, 6, verdict=STALE), rescued=False)
    writer.close()

    first, second = read(path)
    assert first["pts"] == 5
    assert first["time"] == 0.2
    assert (first["state"], first["rescued"]) == ("PROTECTED", True)
    (box,) = first["boxes"]  # type: ignore[misc]
    assert (box["label"], box["track"], box["score"]) == ("shipping_label", 7, 0.875)
    assert box["x1"] <= 100
    assert box["y1"] <= 50
    assert box["x2"] >= 180
    assert box["y2"] >= 90
    assert (second["state"], second["reason"]) == ("DEGRADED", "no look after it")
    assert second["boxes"] == []


def test_an_object_that_could_not_be_placed_is_named_as_such(tmp_path: Path) -> None:
    writer = ReportWriter(tmp_path / "report.jsonl")
    writer.see(shown(make_gate(), 0, (float("nan"), 0, 10, 10)), rescued=False)
    writer.close()
    (line,) = read(tmp_path / "report.jsonl")
    (box,) = line["boxes"]  # type: ignore[misc]
    assert (box["label"], box["x2"], box["y2"]) == ("whole_frame", 320, 180)


def test_the_name_appears_only_when_the_report_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    writer = ReportWriter(path)
    writer.see(shown(make_gate(), 0), rescued=False)
    assert not path.exists()
    writer.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.jsonl"]


def test_an_aborted_report_leaves_nothing(tmp_path: Path) -> None:
    writer = ReportWriter(tmp_path / "report.jsonl")
    writer.see(shown(make_gate(), 0), rescued=False)
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"--report .*nowhere"):
        ReportWriter(tmp_path / "nowhere" / "report.jsonl")


def test_a_full_disk_is_an_error_of_the_sink_and_abort_still_works() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    writer = ReportWriter.__new__(ReportWriter)
    writer._path = writer._part = Path("report.jsonl")
    writer._file = full.open("w")
    writer.see(shown(make_gate(), 0), rescued=False)
    with pytest.raises(SinkError, match="No space left"):
        writer.close()
    writer.abort()
