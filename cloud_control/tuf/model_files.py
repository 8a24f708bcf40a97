"""A model as its maker hands it over: a card, its network, and perhaps an int8 form of both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from cloud_control.errors import ModelsError
from fleet_contract.fields import Fraction, Id, Sha256, Version
from fleet_contract.protection import Label

LABELS = ("license_plate", "id_card", "shipping_label")
MOST_BYTES = 512 * 2**20

FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]


class Card(BaseModel):
    """What must be right in a card for a device to take it; the rest is not looked at."""

    name: Id
    version: Version
    file: FileName
    sha256: Sha256
    labels: tuple[Label, Label, Label]
    decoding: str
    nms_iou: Fraction
    thresholds: dict[Label, Fraction]
    made_from: str = ""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that is fit to be published: contents by file name, the card among them."""

    name: str
    version: str
    contents: Mapping[str, bytes]


_CARD = TypeAdapter(Card)


def read_model_files(path: Path) -> ModelFiles:
    """Read a card and what it names, and its int8 form if one lies beside it.

    Raises ModelsError with what is wrong: devices would refuse it for the same reason.
    """
    card = _read_card(path)
    contents = {f"{card.name}.json": _read(path), card.file: _network(path, card)}
    other = path.with_name(f"{path.stem}-int8.json")
    if other.is_file():
        form = _read_card(other)
        if form.made_from != card.sha256 or form.version != card.version:
            raise ModelsError(f"{other.name} is not made from {card.file}; make it anew.")
        if form.name != f"{card.name}-int8":
            raise ModelsError(f"{other.name}: its name must be {card.name}-int8.")
        contents |= {f"{form.name}.json": _read(other), form.file: _network(other, form)}
    return ModelFiles(card.name, card.version, contents)


def _read_card(path: Path) -> Card:
    try:
        card = _CARD.validate_json(_read(path))
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelsError(f"{path.name}: {where}: {first['msg']}") from None
    if card.labels != LABELS:
        raise ModelsError(f"{path.name}: labels must be {', '.join(LABELS)}.")
    if not all(0 < card.thresholds.get(label, 0) < 1 for label in card.labels):
        raise ModelsError(f"{path.name}: thresholds must give each label a number between 0 and 1.")
    if card.file.endswith(".json"):
        raise ModelsError(f"{path.name}: file must name the network, not a card.")
    return card


def _network(path: Path, card: Card) -> bytes:
    content = _read(path.with_name(card.file))
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise ModelsError(f"{card.file} is not the file of its card {path.name}; make both anew.")
    return content


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelsError(f"{path.name} is larger than {MOST_BYTES // 2**20} MiB.")
        return path.read_bytes()
    except OSError as problem:
        raise ModelsError(f"Cannot read {path}: {problem.strerror}.") from None
