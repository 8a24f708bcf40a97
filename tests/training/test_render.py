"""The renderer: banks are reproducible and split by layout; scenes keep their promises."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("PIL")

from edge_agent.boxes import LABELS
from edge_agent.errors import SettingsError, SourceError
from training.render import (
    bank,
    cards,
    fonts,
    labels,
    paste,
    people,
    photo_labels,
    plates,
    scene,
    sheets,
)
from training.render.bank import Banks
from training.render.photographs import FACES, MARKS
from training.render.swap import swap_plate


@pytest.fixture(scope="module")
def parcels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey pictures under the names of known parcel pictures."""
    folder = tmp_path_factory.mktemp("parcels")
    for name in [*list(FACES)[:3], *list(MARKS)[:3]]:
        cv2.imwrite(str(folder / f"{name}.png"), np.full((300, 400, 3), 140, np.uint8))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, parcels: Path) -> Path:
    path = tmp_path_factory.mktemp("banks")
    bank.build(path, 3, 24, [parcels], workers=1)
    return path


def test_folders_without_a_known_picture_are_named(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(SettingsError, match="no known picture lies in"):
        bank.build(tmp_path / "banks", 1, 12, [tmp_path], workers=1)


def test_real_faces_are_printed_on_training_cards_alone(tmp_path: Path) -> None:
    name, ((left, top, wide, high), *_) = next(iter(people.PEOPLE.items()))
    picture = np.full((512, 512, 3), 90, np.uint8)
    picture[top : top + high, left : left + wide] = (0, 0, 250)  # BGR: no skin is as red
    cv2.imwrite(str(tmp_path / f"{name}.png"), picture)

    def red(split: str) -> int:
        faces = [people.portrait(np.random.default_rng(i), split) for i in range(20)]
        return sum(int((f[..., 0] - f[..., 1].astype(int) > 110).mean() > 0.2) for f in faces)

    try:
        people.load([tmp_path])
        assert red("train") > 0
        assert red("val") == 0
    finally:
        people.load([])


@pytest.fixture(scope="module")
def banks(folder: Path) -> Banks:
    return bank.load_banks(folder, "train")


def ground(height: int = 256, width: int = 384) -> np.ndarray:
    rng = np.random.default_rng(1)
    return cv2.resize(rng.integers(60, 200, (8, 12, 3), np.uint8), (width, height))


def test_the_same_seed_draws_the_same_patches() -> None:
    for painter in (labels.paint, cards.paint, plates.paint):
        one, two = (painter(np.random.default_rng(5), "train") for _ in range(2))
        other = painter(np.random.default_rng(6), "train")
        assert np.array_equal(one.pixels, two.pixels)
        assert one.pixels.shape != other.pixels.shape or (one.pixels != other.pixels).any()


def test_validation_layouts_are_never_in_training_banks(folder: Path, banks: Banks) -> None:
    held_out = bank.load_banks(folder, "val")
    for kind in ("labels", "cards", "plates"):
        seen, unseen = (set(getattr(b, kind).layout.tolist()) for b in (banks, held_out))
        assert seen
        assert not seen & unseen


@pytest.mark.parametrize("module", [labels, cards])
def test_every_layout_can_be_drawn(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = module.LAYOUTS  # type: ignore[attr-defined]
    for name, layout in layouts.items():
        monkeypatch.setattr(module, "LAYOUTS", {name: layout})
        patch = module.paint(np.random.default_rng(2), layout.split)  # type: ignore[attr-defined]
        assert patch.layout == name
        assert patch.pixels[..., :3].std() > 5, name


def test_some_training_labels_are_joined_of_two_and_no_held_out_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joined = labels._joined(
        np.random.default_rng(1),
        np.full((60, 90, 3), 200, np.uint8),
        np.full((40, 30, 3), 50, np.uint8),
    )
    assert joined.shape == (60, 90, 3)
    assert set(np.unique(joined)) == {50, 200}

    calls = []

    def join(_rng: object, first: object, _second: object) -> object:
        calls.append(first)
        return first

    monkeypatch.setattr(labels, "_joined", join)
    for seed in range(12):
        labels.paint(np.random.default_rng(seed), "val")
    assert not calls
    for seed in range(24):
        labels.paint(np.random.default_rng(seed), "train")
    assert 0 < len(calls) < 24


def test_every_plate_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, plate in dict(plates.PLATES).items():
        monkeypatch.setattr(plates, "PLATES", {name: plate})
        pixels = plates.paint(np.random.default_rng(2), plate.split).pixels
        opaque = pixels[pixels[..., 3] > 200][:, :3].mean(1)
        assert np.ptp(np.percentile(opaque, (4, 96))) > 60, name  # ink stands out from its ground


def test_free_plates_have_any_colour_and_signs_that_can_be_read() -> None:
    drawn = [plates._free(np.random.default_rng(seed)) for seed in range(40)]
    assert len({plate.ground for plate in drawn}) > 20
    assert {len(plate.rows) for plate in drawn} == {1, 2}
    for seed, plate in enumerate(drawn):
        pixels = plates._draw(np.random.default_rng(seed), "train", plate)
        assert np.ptp(pixels.mean(2)) > 60


def test_an_unfinished_bank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"training\.render bank"):
        bank.load_banks(tmp_path, "train")


def test_a_missing_font_is_named() -> None:
    with pytest.raises(SettingsError, match="fonts-nanum"):
        fonts.load("truetype/none.ttf", 12)


def test_scenes_stay_inside_the_picture_and_leave_the_background_alone(banks: Banks) -> None:
    rng, background = np.random.default_rng(8), ground()
    before, seen = background.copy(), set()
    for _ in range(60):
        picture, boxes, kinds = scene.compose(rng, background, banks)
        assert picture.shape == background.shape
        assert picture.dtype == np.uint8
        assert boxes.shape == (len(kinds), 4)
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= [384, 256]).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= scene.SMALLEST).all()
        seen |= set(kinds.tolist())
    assert seen == set(range(len(LABELS)))
    assert np.array_equal(background, before)


def test_boxes_are_tight_around_what_was_pasted() -> None:
    rng = np.random.default_rng(4)
    solid = np.full((60, 90, 4), 255, np.uint8)
    for _ in range(20):
        picture = np.zeros((200, 300, 3), np.uint8)
        quad = paste.pose(rng, 1.5, rng.uniform(10, 60), 70, 40) + np.float32([150, 100])
        paste.paste(rng, picture, solid, quad)
        _, box = paste.visible(quad, 300, 200)
        x, y, w, h = cv2.boundingRect((picture[..., 0] > 127).astype(np.uint8))
        assert np.abs(box - [x, y, x + w, y + h]).max() <= 1.5


def test_a_label_over_an_edge_of_the_picture_is_cut_there() -> None:
    quad = np.float32([[-30, 20], [30, 20], [30, 60], [-30, 60]])
    share, box = paste.visible(quad, 100, 100)
    assert share == pytest.approx(0.5)
    assert box.tolist() == [0, 20, 30, 60]


def test_labels_stick_to_the_faces_of_photographed_parcels(banks: Banks) -> None:
    rng = np.random.default_rng(9)
    quad = np.float32([[60, 40], [320, 60], [300, 230], [70, 220]])
    for _ in range(10):
        picture = ground()
        before = picture.copy()
        placed = photo_labels.label_faces(rng, picture, [quad], banks.labels)
        changed = np.abs(picture.astype(int) - before).max(2) > 12
        assert placed
        outside = np.ones_like(changed)
        for _, (x0, y0, x1, y1) in placed:
            outside[int(y0) - 4 : int(y1) + 5, int(x0) - 4 : int(x1) + 5] = False
        assert changed.any()
        assert not (changed & outside).any()


def test_views_of_photographs_tell_where_their_labels_are(banks: Banks) -> None:
    rng = np.random.default_rng(2)
    for index in range(len(banks.parcels)):
        name = str(banks.parcels.layout[index])
        view, placed, quads = photo_labels.view_of(
            rng, banks.parcels, index, banks.labels, ground()
        )
        assert view.shape == (256, 384, 3)
        assert len(quads) == len(FACES.get(name) or MARKS[name])
        for _, box in placed:
            assert (box[:2] >= 0).all()
            assert (box[2:] <= [384, 256]).all()


def test_a_swapped_label_covers_the_old_one_in_its_light(banks: Banks) -> None:
    picture = np.full((200, 300, 3), 60, np.uint8)
    spot = np.float32([[100, 60], [190, 70], [180, 130], [95, 120]])
    cv2.fillConvexPoly(picture, spot.astype(np.int32), (100, 100, 100))  # a label in the dark
    row = photo_labels.swap_label(np.random.default_rng(3), picture, spot, banks.labels)
    inside = np.zeros((200, 300), np.uint8)
    cv2.fillConvexPoly(inside, (spot + (spot - spot.mean(0)) * 0.25).astype(np.int32), 255)
    assert 0 <= row < len(banks.labels)
    assert (picture[inside == 0] == 60).all()
    assert picture[inside > 0].max() < 150


def test_a_swapped_plate_takes_the_place_and_the_light_of_the_old_one(banks: Banks) -> None:
    picture = ground() // 4  # a dark scene
    box = np.float32([100, 100, 200, 130])
    swapped, new = swap_plate(np.random.default_rng(1), picture, box, banks)
    changed = np.abs(swapped.astype(int) - picture).max(2) > 0
    ys, xs = np.nonzero(changed)
    assert np.abs(new - box).max() < 12
    assert xs.min() >= 86
    assert xs.max() <= 214
    assert ys.min() >= 82
    assert ys.max() <= 148
    assert swapped[100:130, 100:200].mean() < 90


@pytest.mark.parametrize("photographed", [True, False])
def test_a_validation_set_tells_each_object_apart(
    folder: Path, parcels: Path, tmp_path: Path, photographed: bool
) -> None:
    grounds = parcels if photographed else None
    sheets.valset(tmp_path, bank.load_banks(folder, "val"), grounds, 7, 6)
    known = json.loads((tmp_path / "objects.json").read_text())
    assert len(known) == len(list((tmp_path / "images").iterdir())) == 6
    for name, objects in known.items():
        lines = (tmp_path / "labels" / f"{name}.txt").read_text().splitlines()
        assert [int(line.split()[0]) for line in lines] == [o["label"] for o in objects]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no pictures"):
        sheets.read_backgrounds(tmp_path)
