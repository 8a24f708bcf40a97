"""A model's card: what it finds, how to use it, and the hash that its file must have."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from edge_agent.boxes import LABELS, FloatArray
from edge_agent.detect.letterbox import BAND, LANDSCAPE
from edge_agent.errors import ModelError

DEFAULT_MODEL = "veil-nano"
DECODING = "anchor_free_v1"

_PACKAGE = Path(__file__).resolve().parents[1]
_MODELS = (_PACKAGE / "models", _PACKAGE.parent / "models" / "onnx")


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The input that the model was trained for; `pad` is grey in 0..255."""

    width: int
    height: int
    tracer_band: int
    pad: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The card, as it stands in JSON. `file` is the model's name in `folder`, beside the card.

    needs: features of a processor (see `variant.cpu_features`), one of which the model cannot do
    without; made_from: the sha256 of the model that this one is another form of.
    """

    name: str
    version: str
    file: str
    sha256: str
    labels: tuple[str, ...]
    input: ModelInput
    decoding: str
    nms_iou: float
    thresholds: dict[str, float]
    thresholds_why: str = ""
    trained: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    weak_at: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    made_from: str = ""
    folder: Path = Path()

    def threshold_array(self) -> FloatArray:
        """The stated thresholds, by index into `LABELS`: (3,) float32."""
        return np.array([self.thresholds[label] for label in LABELS], np.float32)


_CARD = TypeAdapter(ModelCard)


def find_model(name_or_path: str | Path = DEFAULT_MODEL) -> Path:
    """The card of a model that comes with the product, or of one given by a path to either file.

    Raises ModelError when there is none.
    """
    given = Path(name_or_path)
    if given.suffix in {".json", ".onnx"}:
        candidates = [given.with_suffix(".json")]
    else:
        candidates = [folder / f"{name_or_path}.json" for folder in _MODELS]
    for card in candidates:
        if card.is_file():
            return card
    known = sorted(path.stem for folder in _MODELS for path in folder.glob("*.json"))
    hint = f"known models: {', '.join(known)}" if known else "no model is installed"
    raise ModelError(f"no model card for '{name_or_path}'; {hint}")


def load_card(path: Path) -> ModelCard:
    """Read and check a card; raises ModelError with what is wrong with it."""
    try:
        card = _CARD.validate_json(path.read_bytes())
    except OSError as problem:
        raise ModelError(f"cannot read {path}: {problem.strerror}") from problem
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{path.name}: {where}: {first['msg']}") from problem
    for wrong in _faults(card):
        raise ModelError(f"{path.name}: {wrong}")
    return replace(card, folder=path.parent)


def read_model(card: ModelCard) -> bytes:
    """The model's bytes, checked against the card: what was hashed is what will run.

    Raises ModelError when the file is missing or is not the one that the card describes.
    """
    path = card.folder / card.file
    try:
        model = path.read_bytes()
    except OSError as problem:
        raise ModelError(f"cannot read {path}: {problem.strerror}") from problem
    if hashlib.sha256(model).hexdigest() != card.sha256.lower():
        raise ModelError(f"{path.name} is damaged or not the file of its card; install it again")
    return model


def _faults(card: ModelCard) -> list[str]:
    faults = []
    if card.labels != LABELS:
        faults.append(f"labels must be {', '.join(LABELS)}")
    if card.decoding != DECODING:
        faults.append(f"decoding '{card.decoding}' needs another version of Veilcast")
    if (card.input.width, card.input.height, card.input.tracer_band) != (*LANDSCAPE, BAND):
        faults.append("its input needs another version of Veilcast")
    if not all(0 < card.thresholds.get(label, 0) < 1 for label in LABELS):
        faults.append("thresholds must give each label a number between 0 and 1")
    if not 0 < card.nms_iou < 1:
        faults.append("nms_iou must lie between 0 and 1")
    if Path(card.file).name != card.file:
        faults.append("file must be a plain name beside the card")
    return faults
