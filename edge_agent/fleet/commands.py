"""Commands as they come in and answers as they go out: each is carried out once or never."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

import structlog

from edge_agent.fleet.clock import SteadyClock
from edge_agent.fleet.details import Details
from edge_agent.fleet.store import Store
from fleet_contract.acceptance import Accepted, Arrival, DropReason, judge
from fleet_contract.ack import Ack
from fleet_contract.codec import decode, encode
from fleet_contract.commands import COMMAND_NAMES, Command
from fleet_contract.telemetry import DroppedCommands
from fleet_contract.topics import Address, Kind

Send = Callable[[Address, Ack], None]

log = structlog.get_logger()


class Commands:
    """For the agent's thread alone. `send` publishes an answer, or loses it while offline: then
    whoever asks again with the same id gets it."""

    def __init__(self, details: Details, store: Store, clock: SteadyClock, send: Send) -> None:
        self._details, self._store, self._clock, self._send = details, store, clock, send
        self._dropped: Counter[DropReason] = Counter()

    @property
    def dropped(self) -> DroppedCommands:
        """Commands not carried out since the agent began."""
        return DroppedCommands(**{reason.value: n for reason, n in self._dropped.items()})

    def receive(self, arrival: Arrival) -> Command | None:
        """A command to carry out now, its id already on disk; None for all others."""
        now_ms = self._clock.now_ms()
        fleet, agent = self._details.fleet, self._details.agent
        verdict = judge(arrival, fleet, agent, now_ms, self._store.seen())
        if isinstance(verdict, Accepted):
            command = verdict.command
            name = COMMAND_NAMES[type(command)]
            self._store.accept(command.id, name, command.expires_at, now_ms)
            log.info("command_accepted", command=name, id=command.id)
            return command
        self._dropped[verdict.reason] += 1
        log.warning("command_dropped", reason=verdict.reason.value)
        if verdict.reason is DropReason.REPEATED and verdict.command:
            self._repeat(verdict.command)
        elif verdict.command:
            name = COMMAND_NAMES[type(verdict.command)]
            self._publish(verdict.command.id, self._ack(name, "dropped", verdict.reason.value))
        return None

    def accepted(self, command: Command) -> None:
        """Work has begun that takes more than a moment."""
        self._answer(command.id, self._ack(COMMAND_NAMES[type(command)], "accepted"), final=False)

    def done(self, command: Command, numbers: Mapping[str, float] | None = None) -> None:
        ack = self._ack(COMMAND_NAMES[type(command)], "done", numbers=numbers)
        self._answer(command.id, ack, final=True)

    def failed(self, command: Command, reason: str) -> None:
        """`reason` is a token."""
        ack = self._ack(COMMAND_NAMES[type(command)], "failed", reason)
        self._answer(command.id, ack, final=True)

    def settle(self, command: Command, reason: str | None) -> None:
        """The end of a command: why it failed, None if it did not."""
        if reason is None:
            self.done(command)
        else:
            self.failed(command, reason)

    def give_up_unfinished(self) -> None:
        """After a restart: whatever was under way has ended with the agent."""
        for command, name in self._store.unfinished():
            self._answer(command, self._ack(name, "failed", "interrupted"), final=True)

    def _answer(self, command: str, ack: Ack, *, final: bool) -> None:
        if self._store.answer(command, encode(ack), final=final):
            log.info("command_answered", id=command, outcome=ack.outcome, reason=ack.reason)
            self._publish(command, ack)

    def _repeat(self, command: Command) -> None:
        stored = self._store.answer_to(command.id)
        if stored is not None:
            ack = decode(self._address(command.id), stored).message
            assert isinstance(ack, Ack)
            self._publish(command.id, ack)

    def _publish(self, command: str, ack: Ack) -> None:
        self._send(self._address(command), ack)

    def _address(self, command: str) -> Address:
        return Address(Kind.ACK, self._details.fleet, self._details.agent, command)

    def _ack(
        self,
        name: str,
        outcome: Literal["accepted", "done", "failed", "dropped"],
        reason: str | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> Ack:
        return Ack(
            command=name,
            at=self._clock.now_ms(),
            outcome=outcome,
            reason=reason,
            numbers=dict(numbers or {}),
        )
