"""The int8 form says nearly what the model says, and its card tells where it comes from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edge_agent.boxes import FloatArray
from edge_agent.detect.card import find_model, load_card
from edge_agent.detect.self_test import ASSETS
from edge_agent.detect.variant import cpu_features, variant_for_this_cpu
from edge_agent.errors import ModelError
from training import quantise
from training.halves import part_halves

# Other processors clip inside an int8 convolution, so that its answers mean nothing there.
needs_vnni = pytest.mark.skipif(
    cpu_features().isdisjoint(quantise.NEEDS), reason="this processor has no VNNI"
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures, 640 x 360, each with a plate of 44 px and an ID card of 120 px."""
    folder = tmp_path / "set"
    for name in ("images", "labels"):
        folder.joinpath(name).mkdir(parents=True)
    rng = np.random.default_rng(4)
    for i in range(3):
        picture = rng.normal(120, 6, (360, 640, 3)).clip(0, 255).astype(np.uint8)
        lines = []
        for label, (sample, height) in enumerate((("plate.png", 44), ("id_card.png", 120))):
            shown = cv2.imread(str(ASSETS / sample), cv2.IMREAD_COLOR)
            assert shown is not None
            width = round(shown.shape[1] * height / shown.shape[0])
            x, y = 40 + 20 * i + 300 * label, 60 + 30 * i
            picture[y : y + height, x : x + width] = cv2.resize(
                shown, (width, height), interpolation=cv2.INTER_AREA
            )
            centre = ((x + width / 2) / 640, (y + height / 2) / 360)
            lines.append(f"{label} {centre[0]} {centre[1]} {width / 640} {height / 360}\n")
        cv2.imwrite(str(folder / "images" / f"{i}.png"), picture)
        (folder / "labels" / f"{i}.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def card(tmp_path: Path) -> Path:
    shutil.copy(find_model().with_suffix(".onnx"), tmp_path)
    return Path(shutil.copy(find_model(), tmp_path))


def test_parted_halves_say_the_same(card: Path) -> None:
    model = onnx.load(card.with_suffix(".onnx"))
    before = model.SerializeToString()
    cuts = sum(node.op_type == "Slice" for node in model.graph.node)
    part_halves(model)
    assert sum(node.op_type == "Slice" for node in model.graph.node) == cuts - 14
    image = np.random.default_rng(0).random((1, 3, 96, 160), np.float32)
    for ours, theirs in zip(
        answers(model.SerializeToString(), image), answers(before, image), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@needs_vnni
def test_the_int8_form_says_nearly_the_same(card: Path, pictures: Path, tmp_path: Path) -> None:
    source, target = card.with_suffix(".onnx"), tmp_path / "int8.onnx"
    assert quantise.quantise(source, target, [pictures]) == 3
    assert target.stat().st_size < source.stat().st_size / 2
    for image in quantise.inputs([pictures]):
        scores, boxes = answers(source.read_bytes(), image)
        int8_scores, int8_boxes = answers(target.read_bytes(), image)
        likely = scores[0].max(axis=1) > 0
        assert likely.any()
        assert np.abs(int8_scores - scores)[0][likely].mean() < 0.3
        assert np.abs(int8_boxes - boxes)[0][likely].mean() < 0.05


@needs_vnni
def test_its_card_names_the_original_and_what_was_lost(card: Path, pictures: Path) -> None:
    path = quantise.quantise_card(card, [pictures], [pictures])
    variant, original = load_card(path), load_card(card)
    assert variant_for_this_cpu(original) == variant
    assert variant.thresholds == original.thresholds
    assert variant.measured["lost_to_int8"]["set"]["license_plate"]["recall"] == 0
    assert set(variant.measured["milliseconds_a_look"]) == {"veil-nano", "veil-nano-int8"}
    assert "made_from" not in json.loads(card.read_text())


@needs_vnni
def test_a_form_that_is_blind_is_not_left_behind(
    card: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dark(_folders: list[Path]) -> Iterator[FloatArray]:
        yield np.zeros((1, 3, 384, 640), np.float32)

    monkeypatch.setattr(quantise, "inputs", dark)
    with pytest.raises(ModelError):
        quantise.quantise_card(card, [pictures], [pictures])
    assert sorted(card.parent.glob("veil-nano*")) == [card, card.with_suffix(".onnx")]


def answers(model: bytes, image: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["scores", "boxes"], {"image": image})
