"""Commands: asked once, carried out once or never. Each has an id and an expiry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from fleet_contract.fields import Id, Message, Millis
from fleet_contract.wanted_model import WantedModel

MAX_LIFE_MS = 15 * 60 * 1000  # so an agent need not remember ids for longer

CommandId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{15,63}$", max_length=64)]


class Command(Message):
    """What all commands carry."""

    id: CommandId = Field(description="unique; the acknowledgement's topic ends with it")
    issued_at: Millis = Field(description="when it was issued, ms since 1970-01-01 UTC")
    expires_at: Millis = Field(
        description="from when on it is void, ms since 1970-01-01 UTC; after `issued_at`, by "
        "900000 ms at most"
    )

    @model_validator(mode="after")
    def _life(self) -> Self:
        if not 0 < self.expires_at - self.issued_at <= MAX_LIFE_MS:
            raise ValueError("expires_at must lie within 15 minutes after issued_at")
        return self


class StreamCommand(Command):
    """A command to one stream."""

    stream: Id = Field(description="the stream's id")


class Start(StreamCommand):
    """Run the stream until `stop`, also after a restart of the agent."""


class Stop(StreamCommand):
    """End the stream until `start`, also after a restart of the agent."""


class Veil(StreamCommand):
    """Veil the stream's whole picture, at once and until `unveil`."""


class Unveil(StreamCommand):
    """End a veil. Needs consent given on the device."""


class SnapshotMetrics(Command):
    """Answer with all metrics of this moment, in the acknowledgement."""


class SelfTest(Command):
    """Run the model's self-test beside the streams and answer how it went."""


class RotateKey(Command):
    """Make a new key on the device, have it certified by the control plane, then use it."""


class UpdateModel(Command):
    """Fetch, verify, test, shadow and switch to a model."""

    model: WantedModel = Field(description="the model wanted")
    while_live: bool = Field(False, description="do not wait until no stream is live")


class RollbackModel(Command):
    """Go back to the last good model that is kept on the device."""


COMMANDS: Mapping[str, type[Command]] = {
    "start": Start,
    "stop": Stop,
    "veil": Veil,
    "unveil": Unveil,
    "snapshot-metrics": SnapshotMetrics,
    "self-test": SelfTest,
    "rotate-key": RotateKey,
    "update-model": UpdateModel,
    "rollback-model": RollbackModel,
}
COMMAND_NAMES: Mapping[type[Command], str] = {kind: name for name, kind in COMMANDS.items()}

NEEDS_CONSENT: frozenset[str] = frozenset({"unveil"})
