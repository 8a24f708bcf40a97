"""A signed repository with models to publish, a device that takes them, and what it is told."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cloud_control.tuf.model_files import ModelFiles
from cloud_control.tuf.repository import DAYS, ModelRepository, RepositoryKeys
from edge_agent.detect.card import find_model
from edge_agent.fleet.models.transfer import ModelSource, Patience
from edge_agent.fleet.models.updates import ModelUpdates, Times
from edge_agent.worker.report import TrialReport
from fleet_contract.reported import ModelUpdate
from fleet_contract.wanted_model import WantedModel, model_at

T = TypeVar("T")

NAME = "veil-nano"
WAIT_S = 30.0
QUICK = Times(live=0.05, first_retry=0.05, longest_retry=0.1, again=3600.0, trial=1.0)
AT_ONCE_GOOD = replace(QUICK, probation=0.0)
HASTY = Patience(gap=2.0, slowest=2048.0, grace=0.5)

_CARD = find_model(NAME)
SHIPPED = json.loads(_CARD.read_text(encoding="utf-8"))["version"]
SHIPPED_NETWORK = _CARD.with_suffix(".onnx").read_bytes()


def model(version: str, network: bytes | None = None, **fields: Any) -> ModelFiles:
    """The shipped model under another version; its network is told from others by its end, which
    is an unknown field to who reads it."""
    if network is None:
        stamp = version.encode()
        network = SHIPPED_NETWORK + bytes([0xFA, 0x3F, len(stamp)]) + stamp
    card = json.loads(_CARD.read_text(encoding="utf-8"))
    sha256 = hashlib.sha256(network).hexdigest()
    card |= {"version": version, "sha256": sha256, "file": f"{NAME}.onnx"} | fields
    content = json.dumps(card).encode()
    return ModelFiles(NAME, version, {f"{NAME}.json": content, card["file"]: network})


def wanted(version: str) -> WantedModel:
    return model_at(NAME, version)


def make_repository(folder: Path, **days: int) -> ModelRepository:
    """A new repository below a folder, with its keys beside."""
    keys = RepositoryKeys(folder / "keys" / "online", [folder / "keys" / "root"])
    repository = ModelRepository(folder / "models", keys)
    repository.create(days={**DAYS, **days})
    return repository


@dataclass
class StandInHost:
    """The agent's streams, as model updates see them. `used` are the versions they were given."""

    live: int = 0
    trial: TrialReport | None = None
    can_use: bool = True
    tried: list[Path] = field(default_factory=list)
    used: list[str] = field(default_factory=list)

    def live_streams(self) -> int:
        return self.live

    def try_model(self, card: Path, seconds: float) -> TrialReport | None:  # noqa: ARG002
        self.tried.append(card)
        return self.trial if self.live else None

    def use_model(self, card: Path) -> bool:
        assert card.with_suffix(".onnx").is_file(), "what is used was stored before"
        self.used.append(json.loads(card.read_text(encoding="utf-8"))["version"])
        return self.can_use


class Device:
    """A device's model folder, with a root of trust, between runs of the agent."""

    def __init__(self, folder: Path, url: str, root: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.host = folder / "models", StandInHost()
        (folder / "root.json").write_bytes(root)
        self.source = ModelSource(f"{url}/metadata/", f"{url}/targets/", folder / "root.json")
        self.steps: list[str] = []
        self.updates: ModelUpdates | None = None

    def start(self, times: Times = QUICK) -> ModelUpdates:
        """Begin, as the agent does when it starts."""
        self.updates = ModelUpdates(
            self.folder, self.source, built_in=_CARD, host=self.host, on_change=self._note,
            times=times, patience=HASTY,
        )  # fmt: skip
        return self.updates

    def stop(self) -> None:
        if self.updates is not None:
            self.updates.close()
            self.updates = None

    def run(self, version: str, *, until: str = "done") -> ModelUpdate:
        """Want a version and wait until the update came to that step."""
        updates = self.updates or self.start()
        updates.want(wanted(version), False)
        return self.wait(version, until)

    def wait(self, version: str, step: str) -> ModelUpdate:
        assert self.updates is not None
        updates = self.updates

        def there() -> ModelUpdate | None:
            update = updates.update
            fits = update is not None and (update.version, update.step) == (version, step)
            return update if fits else None

        return wait_for(there, lambda: f"{updates.update} is not {version} {step}")

    @property
    def runs(self) -> str:
        assert self.updates is not None
        running = self.updates.running
        return running.version if running else "nothing"

    def wait_for_used(self, *versions: str) -> None:
        """The streams were given these versions, in this order."""
        wait_for(lambda: self.host.used == list(versions), lambda: str(self.host.used))

    def kept(self) -> list[str]:
        """Versions of the models on the disk, half ones and hidden ones included."""
        return sorted(path.name.split("-")[2] for path in (self.folder / "kept").iterdir())

    def _note(self) -> None:
        if self.updates is not None and self.updates.update is not None:
            self.steps.append(self.updates.update.step)


def wait_for(look: Callable[[], T | None], otherwise: Callable[[], str]) -> T:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(otherwise())
