"""How the fleet stands now, from what agents say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from cloud_control.ports import Clock
from cloud_control.service.events import Events
from cloud_control.service.standings import MemoryStandings, Standing, Standings
from fleet_contract.ack import Ack
from fleet_contract.codec import decode, encode
from fleet_contract.errors import ContractError
from fleet_contract.fields import Message
from fleet_contract.reported import Reported
from fleet_contract.topics import Address, Kind

AckHandler = Callable[[Address, Ack], None]
ReportedHandler = Callable[[Address, Reported], None]

__all__ = ["Live", "Standing"]


class Live:
    """Takes messages in the order of the bus, from one thread; answers questions from any.

    `known` says whether an agent is enrolled: what others say is dropped and counted.
    """

    def __init__(
        self,
        known: Callable[[str, str], bool],
        events: Events,
        clock: Clock,
        standings: Standings | None = None,
    ) -> None:
        self._known, self._events, self._clock = known, events, clock
        self._standings = standings or MemoryStandings()
        self._on_ack: list[AckHandler] = []
        self._on_reported: list[ReportedHandler] = []
        self.received: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def on_ack(self, handler: AckHandler) -> None:
        self._on_ack.append(handler)

    def on_reported(self, handler: ReportedHandler) -> None:
        self._on_reported.append(handler)

    def of(self, fleet: str, agent: str) -> Standing:
        """A copy of how an agent stands; an empty one if it never said anything."""
        return self._standings.of(fleet, agent)

    def of_many(self, fleet: str, agents: Sequence[str]) -> dict[str, Standing]:
        """Of agents that are neighbours by name."""
        return self._standings.of_many(fleet, agents)

    def forget(self, fleet: str, agent: str) -> None:
        self._standings.forget(fleet, agent)

    def lost(self, fleet: str, agent: str, at_ms: int) -> None:
        """The broker noticed that an agent's connection ended, and when by its clock. It counts as
        that connection's last will would, unless the agent has spoken of a new one since."""
        standing = self.of(fleet, agent)
        status = standing.status
        if status is None or not standing.online or standing.status_heard_at > at_ms:
            return
        ended = status.model_copy(update={"state": "offline", "reason": "lost"})
        self.take(Address(Kind.STATUS, fleet, agent), encode(ended))

    def take(self, address: Address, payload: bytes) -> None:
        """One message of an agent. What breaks the contract is counted and changes nothing."""
        if not self._known(address.fleet, address.agent):
            self.refused["not_enrolled"] += 1
            return
        if not payload:
            self._clear(address)
            return
        try:
            message = decode(address, payload).message
        except ContractError as problem:
            self.refused[str(problem.reason)] += 1
            return
        self.received[str(address.kind)] += 1
        if isinstance(message, Ack):
            for on_ack in self._on_ack:
                on_ack(address, message)
            return
        if not self._standings.note(address, message, self._clock()):
            return
        if address.kind is not Kind.TELEMETRY:
            self._events.publish(str(address.kind), _news(address, message))
        if isinstance(message, Reported):
            for on_reported in self._on_reported:
                on_reported(address, message)

    def _clear(self, address: Address) -> None:
        if address.kind is not Kind.STREAM_STATE:
            return
        if self._standings.clear(address, self._clock()):
            self._events.publish("stream_gone", _place(address))


def _news(address: Address, message: Message) -> dict[str, Any]:
    return {**_place(address), **message.model_dump(mode="json", exclude_none=True)}


def _place(address: Address) -> dict[str, Any]:
    place = {"fleet": address.fleet, "agent": address.agent}
    return {**place, "stream": address.name} if address.name else place
