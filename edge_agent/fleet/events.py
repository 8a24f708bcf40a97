"""What can happen to an agent. Everything but its one thread only puts these into its queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.worker.report import WorkerReport
from fleet_contract.acceptance import Arrival


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took the connection with this number."""

    connection: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection with this number is over, or never came about."""

    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message came over the connection with this number."""

    connection: int
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Delivered:
    """The broker has a message; `mid` is the link's number for it."""

    connection: int
    mid: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A stream's worker told how it is."""

    stream: str
    report: WorkerReport


@dataclass(frozen=True, slots=True)
class Do:
    """Run this in the agent's thread."""

    work: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Stop:
    """End the agent cleanly."""

    by: str


Event = Connected | Lost | Arrived | Delivered | Heard | Do | Stop
Post = Callable[[Event], None]
