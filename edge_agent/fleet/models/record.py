"""What must be known after a crash: which model is in use, which is the last good one, and how far
the newest update came."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from edge_agent.detect.card import ModelCard
from edge_agent.fleet.home import write_private
from edge_agent.fleet.models.store import BUILT_IN
from fleet_contract.wanted_model import WantedModel

Step = Literal[
    "waiting", "downloading", "verifying", "testing", "shadowing", "done", "refused", "rolled_back"
]
ENDED: frozenset[Step] = frozenset({"done", "refused", "rolled_back"})

log = structlog.get_logger()


class Attempt(BaseModel):
    """The newest update. interrupted: how often the agent ended while it tested or tried it."""

    model_config = ConfigDict(frozen=True)

    wanted: WantedModel
    while_live: bool = False
    step: Step = "waiting"
    reason: str | None = None
    interrupted: int = 0

    def names(self, card: ModelCard) -> bool:
        """Whether the card is that of the model wanted."""
        return (card.name, card.version) == (self.wanted.name, self.wanted.version)


class Record(BaseModel):
    """Keys are those of the store. former: what `current` took the place of, proven or not; newest:
    the highest version that ever ran, by name; probation_ends_ms: until then (ms since 1970-01-01
    UTC) `current` has yet to prove itself."""

    model_config = ConfigDict(frozen=True)

    current: str = BUILT_IN
    last_good: str = BUILT_IN
    former: str = BUILT_IN
    newest: dict[str, str] = {}
    probation_ends_ms: int | None = None
    attempt: Attempt | None = None

    @property
    def keys(self) -> set[str]:
        """What must be kept."""
        return {self.current, self.last_good, self.former}


class RecordFile:
    """The record, in one file that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Record:
        """Without a file, or with a spoilt one, the built-in model is in use."""
        try:
            return Record.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Record()
        except (OSError, ValidationError):
            log.warning("model_record_unreadable", path=str(self._path))
            return Record()

    def write(self, record: Record) -> None:
        write_private(self._path, record.model_dump_json().encode())
