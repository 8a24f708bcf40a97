"""What the agent needs of model updates, and the simplest that will do: the model that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from edge_agent.detect.card import find_model, load_card
from edge_agent.detect.variant import variant_for_this_cpu
from edge_agent.errors import VeilcastError
from edge_agent.fleet.protection import Thresholds
from edge_agent.worker.report import WorkerReport
from fleet_contract.protection import Label
from fleet_contract.reported import ModelUpdate, RunningModel
from fleet_contract.wanted_model import WantedModel

_LABELS: tuple[Label, ...] = ("license_plate", "id_card", "shipping_label")


class Models(Protocol):
    """Fetches, verifies, tries and switches models in a thread of its own. Never blocks, and tells
    the agent by a callback when anything that can be asked here has changed."""

    @property
    def update(self) -> ModelUpdate | None: ...
    @property
    def running(self) -> RunningModel | None: ...
    @property
    def card(self) -> Path: ...
    def want(self, model: WantedModel, while_live: bool, *, again: bool = False) -> None: ...
    def roll_back(self) -> None: ...
    def heard(self, stream: str, report: WorkerReport) -> None: ...
    def close(self) -> None: ...


class FixedModel:
    """The model that came with the software; it is never updated."""

    update: ModelUpdate | None = None

    def __init__(self, name: str) -> None:
        self.card = find_model(name)
        self.running = running_model(self.card)

    def want(self, model: WantedModel, while_live: bool, *, again: bool = False) -> None: ...

    def roll_back(self) -> None: ...

    def heard(self, stream: str, report: WorkerReport) -> None: ...

    def close(self) -> None: ...


def running_model(card: Path) -> RunningModel | None:
    """What a card says of itself; None if it cannot be read."""
    try:
        found = load_card(card)
    except VeilcastError:
        return None
    return RunningModel(name=found.name, version=found.version, sha256=found.sha256)


def thresholds_of(card: Path) -> Thresholds:
    """The model's own thresholds on this processor, by label; empty if they cannot be read."""
    try:
        stated = variant_for_this_cpu(load_card(card)).thresholds
    except VeilcastError:
        return {}
    return {label: stated[label] for label in _LABELS}
