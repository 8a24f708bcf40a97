"""Fleets, agents and streams as the control plane keeps them, and the document they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fleet_contract.desired import MAX_SINKS, MAX_STREAMS, Desired, WantedStream
from fleet_contract.endpoint import Endpoint
from fleet_contract.fields import Id, Millis
from fleet_contract.protection import Protection
from fleet_contract.wanted_model import WantedModel

MAX_LABELS = 16
EPOCH_MS = 1_767_225_600_000  # 2026-01-01

LabelText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,64}$")]
Labels = Annotated[dict[LabelText, LabelText], Field(max_length=MAX_LABELS)]
Title = Annotated[str, Field(min_length=1, max_length=120)]


class Kept(BaseModel):
    """What is stored: immutable; a field of a newer version is an error, not a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FleetRules(Kept):
    """What holds for all agents of a fleet that have nothing of their own. changes: how often it
    was changed."""

    fleet: Id
    changes: int = 0
    protection: Protection = Protection()
    telemetry_seconds: int = Field(10, ge=1, le=3600)


class Certificate(Kept):
    """One of an agent's certificates. retires_at: from when on it is void; None: it is in use."""

    pem: str
    added_at: Millis
    retires_at: Millis | None = None


class Agent(Kept):
    """An enrolled device. changes: how often anything that its document is made of was changed, but
    for its fleet's rules; streams: the ids of those that it carries."""

    fleet: Id
    id: Id
    labels: Labels = Field(default_factory=dict)
    enrolled_at: Millis
    certificates: tuple[Certificate, ...]
    changes: int = 1
    protection: Protection | None = None
    model: WantedModel | None = None
    streams: Annotated[tuple[Id, ...], Field(max_length=MAX_STREAMS)] = ()
    revoked: bool = False

    @property
    def key(self) -> str:
        return agent_key(self.fleet, self.id)


class Stream(Kept):
    """A stream, carried by one agent. publish_key: the secret that lets it publish to the ingest;
    lease_seconds: without a sign of life for so long it is removed; None: it stays."""

    fleet: Id
    id: Id
    agent: Id
    title: Title = "untitled"
    category: int = Field(1, ge=0, le=1000)
    source: Endpoint
    sinks: tuple[Endpoint, ...] = Field(min_length=1, max_length=MAX_SINKS)
    autostart: bool = True
    protection: Protection | None = None
    publish_key: str = Field(repr=False)
    lease_seconds: int | None = Field(None, ge=5, le=86_400)
    created_at: Millis

    @property
    def key(self) -> str:
        return f"{self.fleet}/{self.id}"


def agent_key(fleet: str, agent: str) -> str:
    return f"{fleet}/{agent}"


def first_change(now_ms: int) -> int:
    """Where the count of a fleet's changes goes on when a control plane starts: beyond any number
    that it can have given out before, had it made a thousand changes every second. So a database
    that was restored from a backup never gives a number twice."""
    return max(now_ms - EPOCH_MS, 1)


def version_of(rules: FleetRules, agent: Agent) -> int:
    """Of the agent's document: two numbers that only grow, so that a change of the fleet's rules
    need not touch each agent's record."""
    return rules.changes + agent.changes


def desired_of(rules: FleetRules, agent: Agent, streams: Sequence[Stream], now_ms: int) -> Desired:
    """What the agent shall be and do, whole."""
    return Desired(
        version=version_of(rules, agent),
        issued_at=now_ms,
        protection=agent.protection or rules.protection,
        streams=tuple(
            WantedStream(
                id=stream.id,
                source=stream.source,
                sinks=stream.sinks,
                autostart=stream.autostart,
                protection=stream.protection,
            )
            for stream in streams
        ),
        model=agent.model,
        telemetry_seconds=rules.telemetry_seconds,
    )
