"""A model that is not what its card says is never used, and the command says so in a sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.detect.card import find_model
from edge_agent.errors import ModelError
from tests.faults.command import redact

SHIPPED = find_model()


def truncated(card: Path) -> None:
    model = card.with_suffix(".onnx")
    model.write_bytes(model.read_bytes()[:-1000])


def swapped(card: Path) -> None:
    """Another model's file in its place: here the same one, a single bit apart."""
    model = card.with_suffix(".onnx")
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)


def gone(card: Path) -> None:
    card.with_suffix(".onnx").unlink()


def without_card(card: Path) -> None:
    card.unlink()


def card_cut_short(card: Path) -> None:
    card.write_text(card.read_text()[:200])


def card_of_other_labels(card: Path) -> None:
    words = json.loads(card.read_text())
    words["labels"] = ["cat", "dog", "tree"]
    card.write_text(json.dumps(words))


@pytest.mark.parametrize(
    "damage", [truncated, swapped, gone, without_card, card_cut_short, card_of_other_labels]
)
def test_a_damaged_model_is_refused_before_any_output(
    damage: Callable[[Path], None], street: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for suffix in (".json", ".onnx"):
        shutil.copy(SHIPPED.with_suffix(suffix), folder)
    card = folder / SHIPPED.name
    damage(card)
    out = tmp_path / "out"
    out.mkdir()
    done = redact(street, out / "safe.mp4", "--model", str(card))
    assert done.returncode == ModelError.exit_code == 3
    assert done.stderr.startswith("veilcast: ")
    assert len(done.stderr.strip().splitlines()) <= 3
    assert list(out.iterdir()) == []
