from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_agent.boxes import LABELS
from edge_agent.detect.card import find_model, load_card, read_model
from edge_agent.errors import ModelError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The default model, copied where it may be spoilt: the path of its card."""
    card = find_model()
    for path in (card, card.with_suffix(".onnx")):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / card.name


def change(path: Path, **fields: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | fields), encoding="utf-8")


def test_every_model_that_comes_along_fits_its_card() -> None:
    cards = sorted(find_model().parent.glob("*.json"))
    assert cards
    for path in cards:
        card = load_card(path)
        assert card.name == path.stem
        assert read_model(card)
        assert card.threshold_array().shape == (len(LABELS),)


def test_a_model_is_found_by_name_or_by_either_file(copy: Path) -> None:
    assert find_model("veil-nano").name == "veil-nano.json"
    assert find_model(copy) == copy
    assert find_model(str(copy.with_suffix(".onnx"))) == copy
    with pytest.raises(ModelError, match=r"known models: .*veil-nano"):
        find_model("no-such-model")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"labels": ["license_plate"]}, "labels must be"),
        ({"decoding": "other_v9"}, "another version"),
        ({"thresholds": {"license_plate": 0.4}}, "thresholds must"),
        ({"thresholds": {**dict.fromkeys(LABELS, 0.3), "id_card": 1.5}}, "thresholds must"),
        ({"nms_iou": 0}, "nms_iou"),
        ({"file": "../elsewhere.onnx"}, "plain name"),
        ({"input": {"width": 640, "height": 640, "tracer_band": 24, "pad": 114}}, "its input"),
        ({"sha256": None}, "sha256"),
    ],
)
def test_a_wrong_card_is_refused_with_a_word(copy: Path, fields: dict[str, Any], word: str) -> None:
    change(copy, **fields)
    with pytest.raises(ModelError, match=word):
        load_card(copy)


def test_a_card_that_is_no_json_or_not_there_is_refused(copy: Path) -> None:
    copy.write_text('{"name": ', encoding="utf-8")
    with pytest.raises(ModelError, match="JSON"):
        load_card(copy)
    copy.unlink()
    with pytest.raises(ModelError, match="cannot read"):
        load_card(copy)


def test_a_truncated_swapped_or_missing_model_is_refused(copy: Path) -> None:
    model = copy.with_suffix(".onnx")
    card = load_card(copy)
    whole = model.read_bytes()
    for spoilt in (whole[:-1], whole[:1000] + b"x" + whole[1001:], b""):
        model.write_bytes(spoilt)
        with pytest.raises(ModelError, match="damaged"):
            read_model(card)
    model.unlink()
    with pytest.raises(ModelError, match="cannot read"):
        read_model(card)
