"""`veilcast redact`, as a user runs it, on a small clip that the shipped model understands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import cv2
import pytest

from tests.faults.command import redact
from tests.faults.street import assert_plate_hidden, lumas, shows_plate, write_street

SECONDS = 2


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_street(tmp_path_factory.mktemp("clips") / "street.mp4", SECONDS)


def test_a_file_with_its_report_its_picture_and_its_summary(street: Path, tmp_path: Path) -> None:
    report, sheet, target = tmp_path / "r.jsonl", tmp_path / "look.png", tmp_path / "safe.mkv"
    done = redact(
        street, target, "--report", str(report), "--contact-sheet", str(sheet), "--json",
        "--preset", "ultrafast", "--crf", "28",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    frames = [json.loads(line) for line in report.read_text().splitlines()]
    assert summary["protected"] == len(frames) == SECONDS * 25
    assert summary["objects"]["license_plate"] >= 1
    assert all(frame["state"] == "PROTECTED" for frame in frames)
    hidden = [box for frame in frames for box in frame["boxes"]]
    assert {"label", "track", "score", "x1", "y1", "x2", "y2"} <= set(hidden[0])
    assert [frame["pts"] for frame in frames] == sorted({frame["pts"] for frame in frames})
    assert cv2.imread(str(sheet)) is not None
    assert any(shows_plate(luma) for luma in lumas(street))
    assert_plate_hidden(list(lumas(target)))


def test_an_existing_output_is_kept_unless_forced(street: Path, tmp_path: Path) -> None:
    target = tmp_path / "safe.mp4"
    target.write_text("precious")
    refused = redact(street, target)
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    assert target.read_text() == "precious"
    assert redact(street, target, "--force").returncode == 0
    with av.open(str(target)) as video:
        assert video.streams.video[0].frames == SECONDS * 25


def test_the_input_is_never_overwritten(street: Path, tmp_path: Path) -> None:
    copy = shutil.copy(street, tmp_path / "clip.mp4")
    before = copy.read_bytes()
    done = redact(copy, copy, "--force")
    assert done.returncode == 1
    assert copy.read_bytes() == before


def test_a_folder_goes_on_past_a_bad_file_and_skips_what_is_finished(
    street: Path, tmp_path: Path
) -> None:
    videos, safe = tmp_path / "videos", tmp_path / "safe"
    (videos / "trip").mkdir(parents=True)
    shutil.copy(street, videos / "a.mp4")
    shutil.copy(street, videos / "trip" / "b.avi")
    (videos / "broken.mp4").write_bytes(b"no video at all" * 100)
    (videos / "notes.txt").write_text("not a video")
    first = redact(videos, safe)
    assert first.returncode == 1
    assert "broken.mp4" in first.stderr
    made = sorted(str(p.relative_to(safe)) for p in safe.rglob("*") if p.is_file())
    assert made == ["a.mp4", "trip/b.avi.mp4"]
    stamps = {name: (safe / name).stat().st_mtime_ns for name in made}
    redact(videos, safe)
    assert {name: (safe / name).stat().st_mtime_ns for name in made} == stamps


@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        (["--thresh", "1.5"], 2, "less than or equal to 1"),
        (["--preset", "warp"], 2, "preset"),
        (["--model", "veil-giant"], 3, "known models"),
        (["--contact-sheet", "look.txt"], 2, "look.txt"),
        (["--config", "absent.toml"], 2, "not found"),
    ],
)
def test_wrong_flags_are_refused_before_anything_is_written(
    street: Path, tmp_path: Path, flags: list[str], code: int, word: str
) -> None:
    done = redact(street, tmp_path / "safe.mp4", *flags)
    assert done.returncode == code, done.stderr
    assert word in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_output_name_that_cannot_be_written_is_refused(street: Path, tmp_path: Path) -> None:
    done = redact(street, tmp_path / "safe.webm")
    assert done.returncode == 6
    assert ".mp4" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_privacy_zone_is_hidden_all_the_time(street: Path, tmp_path: Path) -> None:
    zone = "protect.zones=[[[0.0,0.5],[0.25,0.5],[0.25,1.0],[0.0,1.0]]]"
    target = tmp_path / "safe.mp4"
    assert redact(street, target, "--set", zone).returncode == 0
    bare, sent = next(lumas(street)), next(lumas(target))
    inside = (slice(200, 340), slice(10, 150))
    outside = (slice(200, 340), slice(300, 440))
    assert cv2.absdiff(bare[outside], sent[outside]).mean() < 4
    assert cv2.absdiff(bare[inside], sent[inside]).mean() > 8
