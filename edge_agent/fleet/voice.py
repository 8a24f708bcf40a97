"""Tells the fleet how this agent is: each message when it says something new."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from edge_agent.fleet.clock import SteadyClock
from edge_agent.fleet.commands import Commands
from edge_agent.fleet.details import Details
from edge_agent.fleet.in_force import InForce
from edge_agent.fleet.models_port import Models
from edge_agent.fleet.presence import Presence
from edge_agent.fleet.reports import converged, held_back, stream_counts, stream_state
from edge_agent.fleet.software import agent_version
from edge_agent.fleet.store import Store
from edge_agent.fleet.streams import Streams
from edge_agent.fleet.vouch import Vouchers
from fleet_contract.commands import COMMANDS
from fleet_contract.reported import Reported
from fleet_contract.stream_state import StreamState
from fleet_contract.telemetry import Spool, StreamCounts, Telemetry
from fleet_contract.topics import Address, Kind

STATE_EVERY_S = 5.0  # figures that always change, such as the frame rate, are told this often


class Voice:
    """For the agent's thread alone. Says nothing while offline: `anew` says everything then."""

    def __init__(
        self,
        details: Details,
        store: Store,
        clock: SteadyClock,
        presence: Presence,
        in_force: InForce,
        streams: Streams,
        commands: Commands,
        models: Callable[[], Models],
        spool: Callable[[], Spool],
        vouchers: Vouchers,
    ) -> None:
        self._details, self._store, self._clock, self._presence = details, store, clock, presence
        self._in_force, self._streams, self._commands = in_force, streams, commands
        self._models, self._spool, self._vouchers = models, spool, vouchers
        self._began = time.monotonic()
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._told: Reported | None = None
        self._states: dict[str, StreamState] = {}
        self._state_at: dict[str, float] = {}
        self._clearing: set[str] = set()

    def anew(self) -> None:
        """After connecting: everything, in the contract's order."""
        self._told = None
        self._states.clear()
        self._clearing.clear()
        self.changes()

    def changes(self) -> None:
        """Whatever differs from what was told last."""
        if not self._presence.online:
            return
        now = self._reported()
        if self._told is None or now.model_copy(update={"at": self._told.at}) != self._told:
            self._told = now
            self._presence.publish(self._address(Kind.REPORTED), now)
        for stream in self._in_force.standings:
            self._tell_state(stream)
        for stream, known in self._in_force.known.items():
            if not known.listed and known.shown and stream not in self._clearing:
                self._clear(stream)

    def cleared(self, address: Address, payload: bytes) -> None:
        """The broker has a message: if it cleared a stream's state, that is settled."""
        if address.kind is Kind.STREAM_STATE and not payload:
            self._store.state_cleared(address.name)
            self._in_force.refresh()

    def telemetry(self) -> None:
        self._presence.publish(self._address(Kind.TELEMETRY), self.figures())

    def figures(self) -> Telemetry:
        """All counts of this moment."""
        cores, memory = self._streams.usage()
        return Telemetry(
            at=self._clock.now_ms(),
            connection=max(1, self._presence.connection),
            uptime=time.monotonic() - self._began,
            cpu=min(1000.0, cores + self._process.cpu_percent() / 100),
            memory=memory + self._process.memory_info().rss,
            streams=tuple(self._counts()),
            dropped_commands=self._commands.dropped,
            spool=self._spool(),
        )

    def _counts(self) -> list[StreamCounts]:
        return [
            stream_counts(stream, running.report, self._streams.restarts(stream))
            for stream, running in self._streams.running.items()
            if running.report is not None
        ]

    def _reported(self) -> Reported:
        in_force, models = self._in_force, self._models()
        return Reported(
            at=self._clock.now_ms(),
            agent_version=agent_version(),
            applied=in_force.version,
            refused=in_force.refused,
            held_back=held_back(in_force),
            unknown_fields=in_force.wish.unknown_fields if in_force.wish else (),
            streams=tuple(
                converged(in_force, self._streams, stream) for stream in in_force.standings
            ),
            model=models.running,
            update=models.update,
            commands=tuple(COMMANDS),
        )

    def _tell_state(self, stream: str) -> None:
        state = stream_state(
            self._in_force,
            self._streams,
            stream,
            self._vouchers,
            at=self._clock.now_ms(),
            connection=self._presence.connection,
        )
        told = self._states.get(stream)
        due = time.monotonic() - self._state_at.get(stream, 0.0) > STATE_EVERY_S
        figures = {"at": 0, "delay": 0.0, "fps": 0.0}
        new = told is None or (state.model_copy(update=figures) != told.model_copy(update=figures))
        if new or (due and told and (state.fps, state.delay) != (told.fps, told.delay)):
            self._clearing.discard(stream)
            self._states[stream] = state
            self._state_at[stream] = time.monotonic()
            self._presence.publish(self._address(Kind.STREAM_STATE, stream), state)

    def _clear(self, stream: str) -> None:
        self._states.pop(stream, None)
        self._clearing.add(stream)
        self._presence.publish(self._address(Kind.STREAM_STATE, stream), None)

    def _address(self, kind: Kind, name: str = "") -> Address:
        return Address(kind, self._details.fleet, self._details.agent, name)
