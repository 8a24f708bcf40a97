"""Sets in three forms say the same about the same pictures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.errors import SourceError
from training import data

BOX = [20.0, 10.0, 60.0, 30.0]
NAMES = {"Number_Plate": "license_plate"}


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((50, 100, 3), 90, np.uint8))


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    picture(tmp_path / "yolo/images/a.png")
    picture(tmp_path / "yolo/images/b.png")
    (tmp_path / "yolo/labels").mkdir()
    (tmp_path / "yolo/labels/a.txt").write_text("0 0.4 0.4 0.4 0.4\n")
    return tmp_path / "yolo"


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    picture(tmp_path / "voc/a.png")
    corners = "<xmin>20</xmin><ymin>10</ymin><xmax>60</xmax><ymax>30</ymax>"
    text = "".join(
        f"<object><name>{name}</name><bndbox>{corners}</bndbox></object>"
        for name in ("Number_Plate", "car")
    )
    (tmp_path / "voc/a.xml").write_text(f"<annotation>{text}</annotation>")
    return tmp_path / "voc"


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    picture(tmp_path / "coco/a.png")
    picture(tmp_path / "coco/b.png")
    document = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 5, "name": "Number_Plate"}, {"id": 6, "name": "car"}],
        "annotations": [
            {"image_id": 1, "category_id": 5, "bbox": [20, 10, 40, 20]},
            {"image_id": 2, "category_id": 6, "bbox": [0, 0, 9, 9]},
        ],
    }
    (tmp_path / "coco/notes.json").write_text(json.dumps(document))
    return tmp_path / "coco"


def test_every_form_reads_the_same_box_and_leaves_other_classes_out(
    yolo: Path, voc: Path, coco: Path
) -> None:
    read = [
        list(data.read_yolo(yolo)),
        list(data.read_voc(voc, NAMES)),
        list(data.read_coco(coco / "notes.json", coco, NAMES)),
    ]
    for notes in read:
        np.testing.assert_allclose(notes[0].boxes, [BOX], atol=1e-4)
        assert notes[0].labels.tolist() == [0]
    assert len(read[0][1].boxes) == len(read[2][1].boxes) == 0


def test_an_imported_set_reads_back_unchanged(voc: Path, tmp_path: Path) -> None:
    assert data.write_yolo(data.read_voc(voc, NAMES), tmp_path / "out") == 1
    (note,) = data.read_yolo(tmp_path / "out")
    np.testing.assert_allclose(note.boxes, [BOX], atol=1e-3)


def test_the_store_shows_the_pixels_and_boxes_of_the_set(yolo: Path, tmp_path: Path) -> None:
    first = data.PictureStore.build(data.read_yolo(yolo), tmp_path / "store")
    again = data.PictureStore.build(iter(()), tmp_path / "store")
    for store in (first, again):
        assert store.names == ["a.png", "b.png"]
        assert store.picture(1).shape == (50, 100, 3)
        assert (store.picture(0) == 90).all()
        np.testing.assert_allclose(store.boxes[0], [BOX], atol=1e-4)


def test_a_damaged_line_and_an_empty_folder_say_where(yolo: Path, tmp_path: Path) -> None:
    (yolo / "labels/a.txt").write_text("0 0.4 0.4\n")
    with pytest.raises(SourceError, match=r"a\.txt:1"):
        list(data.read_yolo(yolo))
    with pytest.raises(SourceError, match="no pictures"):
        list(data.read_voc(tmp_path / "nowhere", NAMES))
