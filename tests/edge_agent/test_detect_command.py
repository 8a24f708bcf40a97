from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edge_agent.boxes import Detections, iou_matrix
from edge_agent.cli import app
from edge_agent.detect.card import find_model, load_card
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.errors import DetectError, SourceError
from edge_agent.pictures import _outside, look_at
from edge_agent.thumbnail import Picture
from tests.edge_agent.scenes import Box, paste, turned_by_exif, wall, write


def detect(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["detect", *map(str, arguments)])


def records(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def overlaps(record: dict[str, Any], box: Box) -> list[float]:
    """IoU of every detection of a record with a box."""
    sides = ("x1", "y1", "x2", "y2")
    found = [[each[side] for side in sides] for each in record["detections"]]
    return iou_matrix(np.array(found, np.float32).reshape(-1, 4), np.array([box], np.float32))[
        :, 0
    ].tolist()


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Box]:
    picture = wall(640, 360)
    box = paste(picture, "plate.png", 200, 150, 40)
    return write(tmp_path_factory.mktemp("street") / "street.png", picture), box


def test_each_picture_is_one_json_object_a_line(street: tuple[Path, Box]) -> None:
    path, box = street
    result = detect(path, path, "--json")
    assert result.exit_code == 0
    first, second = records(result)
    assert (first["file"], first["width"], first["height"]) == (str(path), 640, 360)
    assert max(overlaps(first, box)) > 0.6
    best = max(first["detections"], key=lambda each: each["score"])
    assert best["label"] in {"license_plate", "id_card", "shipping_label"}
    assert set(best) == {"label", "score", "x1", "y1", "x2", "y2"}
    assert len(second["detections"]) == len(first["detections"])


def test_the_threshold_and_classes_are_those_of_the_flags(street: tuple[Path, Box]) -> None:
    path, _ = street
    (strict,) = records(detect(path, "--json", "--thresh", "0.999"))
    (lenient,) = records(detect(path, "--json", "--thresh", "0.02"))
    (other,) = records(detect(path, "--json", "-t", "0.02", "--show", "license_plate"))
    assert strict["detections"] == []
    assert any(each["label"] == "license_plate" for each in lenient["detections"])
    assert all(each["label"] != "license_plate" for each in other["detections"])


def test_boxes_follow_the_orientation_that_exif_states(tmp_path: Path) -> None:
    upright = wall(640, 360)
    box = paste(upright, "plate.png", 60, 40, 40)
    stored = cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE)
    path = turned_by_exif(tmp_path / "phone.jpg", np.asarray(stored, np.uint8), 6)
    (record,) = records(detect(path, "--json"))
    assert (record["width"], record["height"]) == (640, 360)
    assert max(overlaps(record, box)) > 0.6


def test_small_objects_of_large_pictures_are_found_in_parts(tmp_path: Path) -> None:
    picture = wall(2560, 1440)
    box = paste(picture, "plate.png", 1700, 800, 30)
    path = write(tmp_path / "large.png", picture)
    (whole,) = records(detect(path, "--json", "--no-tiles"))
    (tiled,) = records(detect(path, "--json"))
    assert max(overlaps(tiled, box), default=0) > 0.5
    assert max(overlaps(whole, box), default=0) <= max(overlaps(tiled, box))
    assert sum(overlap > 0.1 for overlap in overlaps(tiled, box)) == 1


def test_a_large_object_is_not_reported_in_pieces(tmp_path: Path) -> None:
    picture = wall(2560, 1440)
    paste(picture, "shipping_label.png", 700, 200, 900)
    path = write(tmp_path / "close.png", picture)
    (whole,) = records(detect(path, "--json", "--no-tiles"))
    (tiled,) = records(detect(path, "--json"))
    assert whole["detections"]
    assert len(tiled["detections"]) == len(whole["detections"])


def test_pieces_are_told_from_neighbours() -> None:
    whole = _found((100, 100, 500, 400))
    parts = _found((150, 150, 200, 180), (480, 380, 560, 460), (600, 100, 650, 120))
    assert _outside(parts, whole).xyxy[:, 0].tolist() == [480, 600]


def _found(*boxes: Box) -> Detections:
    n = len(boxes)
    return Detections(np.array(boxes, np.float32), np.ones(n, np.float32), np.zeros(n, np.int32))


def test_an_unreadable_picture_is_told_and_the_others_go_on(
    street: tuple[Path, Box], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    empty = tmp_path / "empty.png"
    empty.touch()
    result = detect(broken, street[0], empty, tmp_path / "absent.png", "--json")
    assert isinstance(result.exception, SourceError)
    assert "3 of 4" in str(result.exception)
    assert len(records(result)) == 1
    for name in ("broken.jpg", "empty.png", "absent.png"):
        assert name in result.stderr.replace("\n", "")


def test_the_process_ends_with_status_5_and_no_traceback(tmp_path: Path) -> None:
    absent = tmp_path / "[bold]absent.png"
    run = "from edge_agent.cli import main; main()"
    command = [sys.executable, "-c", run, "detect", str(absent)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 5
    assert "Traceback" not in ended.stderr
    assert "[bold]absent.png" in ended.stderr.replace("\n", "")


def test_folders_are_looked_through_and_copies_keep_their_places(
    street: tuple[Path, Box], tmp_path: Path
) -> None:
    original = cv2.imread(str(street[0]))
    assert original is not None
    for name in ("in/a.png", "in/deep/b.jpg", "in/c.webp"):
        write(tmp_path / name, original)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    result = detect(tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 0
    drawn = sorted(p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*.*"))
    assert drawn == [Path("a.png"), Path("c.webp"), Path("deep/b.jpg")]
    copy = cv2.imread(str(tmp_path / "out" / "a.png"))
    assert copy is not None
    assert copy.shape == original.shape
    assert np.abs(copy.astype(int) - original).max() > 60


def test_people_get_a_table_and_an_empty_folder_is_told(
    street: tuple[Path, Box], tmp_path: Path
) -> None:
    result = detect(street[0])
    assert "score" in result.stdout
    nothing = detect(write(tmp_path / "wall.png", wall(320, 200)), "--thresh", "0.99")
    assert "nothing" in nothing.stdout
    (tmp_path / "empty").mkdir()
    assert "no picture there" in str(detect(tmp_path / "empty").exception)


class FailsOnce(OnnxDetector):
    """A detector whose first look does not prove itself."""

    looks = 0

    def look_rgb(self, picture: Picture) -> Detections:
        self.looks += 1
        if self.looks == 2:  # the first one warms up
            raise DetectError("no proof")
        return super().look_rgb(picture)


def test_a_look_that_did_not_prove_itself_is_taken_again(street: tuple[Path, Box]) -> None:
    detector = FailsOnce(load_card(find_model()))
    picture = cv2.imread(str(street[0]))
    assert picture is not None
    found = look_at(detector, np.asarray(picture, np.uint8), nms_iou=0.55, tiled=False)
    assert len(found)
    assert detector.looks == 3
