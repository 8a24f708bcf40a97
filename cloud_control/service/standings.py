"""How each agent stands, by what it said last: in memory, or where several processes see it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fleet_contract.fields import Message
from fleet_contract.reported import Reported
from fleet_contract.status import Status, overrules
from fleet_contract.stream_state import StreamState
from fleet_contract.telemetry import Telemetry
from fleet_contract.topics import Address


@dataclass(slots=True)
class Standing:
    """What an agent said last. heard_at: when, by our clock; veiled_share: of the frames that left
    between its last two telemetries, 0 to 1; unverified: frames sent unverified, all streams;
    bare_at: when a stream that is not bare any more was last known to be."""

    status: Status | None = None
    status_heard_at: int = 0
    reported: Reported | None = None
    telemetry: Telemetry | None = None
    streams: dict[str, StreamState] = field(default_factory=dict)
    stream_heard_at: dict[str, int] = field(default_factory=dict)
    bare_at: dict[str, int] = field(default_factory=dict)
    heard_at: int = 0
    veiled_share: float = 0.0

    @property
    def online(self) -> bool:
        return self.status is not None and self.status.state == "online"

    @property
    def unverified(self) -> int:
        streams = self.telemetry.streams if self.telemetry else ()
        return sum(stream.unverified_frames_sent for stream in streams)

    def current(self, state: StreamState) -> bool:
        """Whether a stream's state is of the present connection; otherwise it is the past."""
        return (
            self.online and self.status is not None and (state.connection >= self.status.connection)
        )

    def state_of(self, stream: str) -> StreamState | None:
        """How a stream stands in the present connection; None where nobody can tell."""
        state = self.streams.get(stream)
        return state if state is not None and self.current(state) else None

    def copied(self) -> Standing:
        return Standing(
            self.status, self.status_heard_at, self.reported, self.telemetry, dict(self.streams),
            dict(self.stream_heard_at), dict(self.bare_at), self.heard_at, self.veiled_share,
        )  # fmt: skip


class Standings(Protocol):
    """Callable from any thread."""

    def of(self, fleet: str, agent: str) -> Standing:
        """A copy; an empty one if the agent never said anything."""

    def of_many(self, fleet: str, agents: Sequence[str]) -> dict[str, Standing]:
        """Of agents that are neighbours by name, more cheaply than one by one."""

    def note(self, address: Address, message: Message, now_ms: int) -> bool:
        """Take in a message; whether it was news."""

    def clear(self, address: Address, now_ms: int) -> bool:
        """A stream's state is there no more; whether it was."""

    def forget(self, fleet: str, agent: str) -> None: ...


class MemoryStandings:
    """For one process, which hears all messages in the broker's order."""

    def __init__(self) -> None:
        self._standings: dict[tuple[str, str], Standing] = {}
        self._lock = threading.Lock()

    def of(self, fleet: str, agent: str) -> Standing:
        with self._lock:
            there = self._standings.get((fleet, agent))
            return there.copied() if there else Standing()

    def of_many(self, fleet: str, agents: Sequence[str]) -> dict[str, Standing]:
        return {agent: self.of(fleet, agent) for agent in agents}

    def note(self, address: Address, message: Message, now_ms: int) -> bool:
        with self._lock:
            standing = self._standings.setdefault((address.fleet, address.agent), Standing())
            standing.heard_at = now_ms
            if isinstance(message, Status):
                if standing.status is not None and not overrules(message, standing.status):
                    return False
                standing.status, standing.status_heard_at = message, now_ms
            elif isinstance(message, Reported):
                standing.reported = message
            elif isinstance(message, StreamState):
                self._bare(standing, address.name, now_ms)
                standing.streams[address.name] = message
                standing.stream_heard_at[address.name] = now_ms
            elif isinstance(message, Telemetry):
                standing.veiled_share = veiled_share(standing.telemetry, message)
                standing.telemetry = message
                for stream in message.streams:
                    standing.stream_heard_at[stream.id] = now_ms
        return True

    def clear(self, address: Address, now_ms: int) -> bool:
        with self._lock:
            standing = self._standings.get((address.fleet, address.agent))
            if standing is None:
                return False
            self._bare(standing, address.name, now_ms)
            return standing.streams.pop(address.name, None) is not None

    def forget(self, fleet: str, agent: str) -> None:
        with self._lock:
            self._standings.pop((fleet, agent), None)

    @staticmethod
    def _bare(standing: Standing, stream: str, now_ms: int) -> None:
        if bare(standing.streams.get(stream)):
            standing.bare_at[stream] = now_ms


def bare(state: StreamState | None) -> bool:
    """Whether pictures leave as they are."""
    return state is not None and state.state == "OFF"


def veiled_share(before: Telemetry | None, now: Telemetry) -> float:
    """Totals begin anew with a worker: then they count from 0."""
    old = {stream.id: stream for stream in before.streams} if before else {}
    veiled = left = 0
    for stream in now.streams:
        was = old.get(stream.id)
        restarted = was is None or was.frames_in > stream.frames_in
        veiled += stream.frames_veiled - (0 if was is None or restarted else was.frames_veiled)
        left += stream.frames_protected + stream.frames_veiled
        if was is not None and not restarted:
            left -= was.frames_protected + was.frames_veiled
    return min(max(veiled / left, 0.0), 1.0) if left > 0 else 0.0
