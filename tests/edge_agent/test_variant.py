"""A processor gets the form of the model that is made for it, and no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_agent.detect.card import ModelCard, find_model, load_card
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.detect.variant import cpu_features, int8_card, variant_for_this_cpu
from edge_agent.errors import ModelError


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    """The default model's card, copied to where no other form lies beside it."""
    return load_card(Path(shutil.copy(find_model(), tmp_path)))


def beside(card: ModelCard, **fields: Any) -> Path:
    """Put another form beside the card, by default one that this processor can run."""
    path = int8_card(card.folder / f"{card.name}.json")
    content = json.loads(card.folder.joinpath(f"{card.name}.json").read_text(encoding="utf-8"))
    own = {"name": path.stem, "needs": sorted(cpu_features()), "made_from": card.sha256}
    path.write_text(json.dumps(content | own | fields), encoding="utf-8")
    return path


def test_a_model_without_another_form_runs_itself(card: ModelCard) -> None:
    assert variant_for_this_cpu(card) == card


def test_the_form_for_this_processor_is_taken(card: ModelCard) -> None:
    assert cpu_features()
    path = beside(card)
    assert variant_for_this_cpu(card) == load_card(path)


def test_a_form_for_other_processors_is_left_and_refused(card: ModelCard) -> None:
    path = beside(card, needs=["ABACUS", "SLIDE_RULE"])
    assert variant_for_this_cpu(card) == card
    with pytest.raises(ModelError, match="needs a processor with ABACUS or SLIDE_RULE"):
        OnnxDetector(load_card(path))


def test_a_form_of_an_earlier_model_is_left(card: ModelCard) -> None:
    beside(card, made_from="0" * 64)
    assert variant_for_this_cpu(card) == card


def test_a_spoilt_form_is_no_reason_to_go_on(card: ModelCard) -> None:
    beside(card).write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="JSON"):
        variant_for_this_cpu(card)
