"""How the fleet stands now, from what agents say: nothing of it needs a disk, since the broker
retains it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cloud_control.ports import Clock
from cloud_control.service.events import Events
from fleet_contract.ack import Ack
from fleet_contract.codec import decode
from fleet_contract.errors import ContractError
from fleet_contract.fields import Message
from fleet_contract.reported import Reported
from fleet_contract.status import Status, overrules
from fleet_contract.stream_state import StreamState
from fleet_contract.telemetry import Telemetry
from fleet_contract.topics import Address, Kind

AckHandler = Callable[[Address, Ack], None]
ReportedHandler = Callable[[Address, Reported], None]


@dataclass(slots=True)
class Standing:
    """What an agent said last. heard_at: when, by our clock; veiled_share: of the frames that left
    between its last two telemetries, 0 to 1; unverified: frames sent unverified, all streams."""

    status: Status | None = None
    reported: Reported | None = None
    telemetry: Telemetry | None = None
    streams: dict[str, StreamState] = field(default_factory=dict)
    stream_heard_at: dict[str, int] = field(default_factory=dict)
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


class Live:
    """Takes messages in the order of the bus, from one thread; answers questions from any.

    `known` says whether an agent is enrolled: what others say is dropped and counted.
    """

    def __init__(self, known: Callable[[str, str], bool], events: Events, clock: Clock) -> None:
        self._known, self._events, self._clock = known, events, clock
        self._standings: dict[tuple[str, str], Standing] = {}
        self._lock = threading.Lock()
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
        with self._lock:
            there = self._standings.get((fleet, agent))
            if there is None:
                return Standing()
            return Standing(
                there.status, there.reported, there.telemetry, dict(there.streams),
                dict(there.stream_heard_at), there.heard_at, there.veiled_share,
            )  # fmt: skip

    def forget(self, fleet: str, agent: str) -> None:
        with self._lock:
            self._standings.pop((fleet, agent), None)

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
        if not self._note(address, message):
            return
        if address.kind is not Kind.TELEMETRY:
            self._events.publish(str(address.kind), _news(address, message))
        if isinstance(message, Reported):
            for on_reported in self._on_reported:
                on_reported(address, message)

    def _note(self, address: Address, message: Message) -> bool:
        """Whether it was news."""
        with self._lock:
            standing = self._standings.setdefault((address.fleet, address.agent), Standing())
            standing.heard_at = self._clock()
            if isinstance(message, Status):
                if standing.status is not None and not overrules(message, standing.status):
                    return False
                standing.status = message
            elif isinstance(message, Reported):
                standing.reported = message
            elif isinstance(message, StreamState):
                standing.streams[address.name] = message
                standing.stream_heard_at[address.name] = standing.heard_at
            elif isinstance(message, Telemetry):
                standing.veiled_share = _veiled_share(standing.telemetry, message)
                standing.telemetry = message
                for stream in message.streams:
                    standing.stream_heard_at[stream.id] = standing.heard_at
        return True

    def _clear(self, address: Address) -> None:
        if address.kind is not Kind.STREAM_STATE:
            return
        with self._lock:
            standing = self._standings.get((address.fleet, address.agent))
            gone = standing is not None and standing.streams.pop(address.name, None) is not None
        if gone:
            self._events.publish("stream_gone", _place(address))


def _veiled_share(before: Telemetry | None, now: Telemetry) -> float:
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


def _news(address: Address, message: Message) -> dict[str, Any]:
    return {**_place(address), **message.model_dump(mode="json", exclude_none=True)}


def _place(address: Address) -> dict[str, Any]:
    place = {"fleet": address.fleet, "agent": address.agent}
    return {**place, "stream": address.name} if address.name else place
