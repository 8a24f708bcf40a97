"""Keeps the agent connected: connection numbers, backoff, the late will, the change of keys."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Literal

import structlog

from edge_agent.errors import FleetError
from edge_agent.fleet.clock import SteadyClock
from edge_agent.fleet.details import Details
from edge_agent.fleet.events import Delivered, Post
from edge_agent.fleet.home import Home
from edge_agent.fleet.identity import Identity
from edge_agent.fleet.link import Link
from edge_agent.fleet.software import agent_version
from edge_agent.fleet.store import Store
from fleet_contract.acceptance import Arrival
from fleet_contract.codec import decode, encode
from fleet_contract.errors import ContractError
from fleet_contract.fields import Message
from fleet_contract.status import Status
from fleet_contract.strict_json import MAX_INTEGER
from fleet_contract.topics import Address, Kind

MAX_WAIT_S = 60.0
STEADY_S = 30.0
ROOM = 1 << 20  # numbers that must remain for later connections

log = structlog.get_logger()

Rotated = Callable[[str | None], None]  # why the new key was given up; None: it is in use


def backoff(failures: int, share: float) -> float:
    """Seconds to wait after so many failures in a row: full jitter, `share` is random in 0..1."""
    return share * min(MAX_WAIT_S, 2.0 ** min(failures, 16))


class Presence:
    """For the agent's thread alone. `tick` connects when it is time; what the link tells comes in
    through the other methods. `connection` is the newest number, 0 before the first."""

    def __init__(
        self, home: Home, details: Details, store: Store, clock: SteadyClock, post: Post
    ) -> None:
        self._home, self._details = home, details
        self._store, self._clock, self._post = store, clock, post
        self._identity = Identity(home)
        self._link: Link | None = None
        self._failures = 0
        self._since = 0.0
        self._due: float | None = time.monotonic()
        self.connection = 0
        self.online = False
        self.on_rotated: Rotated = lambda _: None

    @property
    def due(self) -> float | None:
        """When `tick` has something to do, on the monotonic clock; None while connected."""
        return self._due

    def tick(self) -> None:
        if self._due is None or time.monotonic() < self._due:
            return
        try:
            self.connection = self._store.take_connection(self._clock.now_ms())
        except FleetError as problem:
            log.error("cannot_connect", reason=str(problem))
            self._later()
            return
        self._due = None
        pair = self._identity.current
        if self._identity.successor is not None and self._failures % 2 == 0:
            pair = self._identity.successor
        self._pair = pair
        try:
            self._link = Link(
                self._details, pair, str(self._home.ca), self._status("offline", "lost"), self._post
            )
        except OSError as problem:
            log.error("identity_unreadable", reason=str(problem), mend="enroll the device anew")
            self._later()

    def connected(self, connection: int) -> bool:
        """Whether this news counts. Says first of all who is there."""
        if self._link is None or connection != self._link.number:
            return False
        self.online = True
        self._since = time.monotonic()
        self._settle_keys()
        log.info("connected", connection=connection)
        self._say_online()
        return True

    def lost(self, connection: int, reason: str) -> None:
        if self._link is None or connection != self._link.number:
            return
        log.warning("connection_lost", connection=connection, reason=reason)
        self._link.drop()
        self._later()

    def own_status(self, arrival: Arrival) -> None:
        """What stands on this agent's own status topic: perhaps a late will, or another memory."""
        try:
            address = Address(Kind.STATUS, self._details.fleet, self._details.agent)
            found = decode(address, arrival.payload).message if arrival.payload else None
        except ContractError as problem:
            log.warning("own_status_unreadable", reason=str(problem))
            found = None
        if not isinstance(found, Status):
            self._say_online()
        elif found.connection > MAX_INTEGER - ROOM:
            log.error("own_status_absurd", connection=found.connection)
            self._say_online()
        elif found.connection > self.connection:
            log.warning("memory_was_lost", seen=found.connection, own=self.connection)
            self._store.saw_connection(found.connection)
            self._again()
        elif found.connection < self.connection:
            self._say_online()
        elif found.state == "offline":  # of this very connection: final, so a new one is needed
            self._again()

    def publish(self, address: Address, message: Message | None) -> None:
        """Send the newest of a topic, None to clear it. Nothing is kept for later connections."""
        if self._link is not None and self.online:
            self._link.publish(address, b"" if message is None else encode(message))

    def delivered(self, event: Delivered) -> tuple[Address, bytes] | None:
        if self._link is None or event.connection != self._link.number:
            return None
        return self._link.delivered(event.mid)

    def prepare_key(self) -> bytes:
        """Make a new key; the request (PEM) to have it certified."""
        return self._identity.prepare(self._details.subject)

    def use_certificate(self, certificate: bytes) -> None:
        """Connect anew with the new key. Raises FleetError if the certificate is not for it."""
        self._identity.keep(certificate)
        self._failures = 0
        self._again()

    def close(self) -> None:
        """A planned end."""
        if self._link is not None:
            if self.online:
                self._link.end(self._status("offline", "shutdown"))
            else:
                self._link.drop()
        self._link, self.online, self._due = None, False, None

    def _settle_keys(self) -> None:
        if self._identity.successor is None:
            return
        if self._pair == self._identity.successor:
            self._identity.promote()
            log.info("key_rotated")
            self.on_rotated(None)
        else:
            self._identity.discard()
            log.warning("new_key_refused", mend="the old key stays in use; rotate it again")
            self.on_rotated("refused_by_broker")

    def _again(self) -> None:
        """Leave this connection for a new one, at once unless it is a habit."""
        if self._link is not None and self.online:
            self._link.end(self._status("offline", "shutdown"))
        elif self._link is not None:
            self._link.drop()
        self._later()

    def _later(self) -> None:
        steady = self.online and time.monotonic() - self._since > STEADY_S
        self._failures = 0 if steady else self._failures
        self._due = time.monotonic() + backoff(self._failures, random.random())
        self._failures += 1
        self._link, self.online = None, False

    def _say_online(self) -> None:
        address = Address(Kind.STATUS, self._details.fleet, self._details.agent)
        self.publish(address, self._status("online", "connected"))

    def _status(
        self, state: Literal["online", "offline"], reason: Literal["connected", "lost", "shutdown"]
    ) -> Status:
        return Status(
            state=state,
            connection=self.connection,
            at=self._clock.now_ms(),
            reason=reason,
            agent_version=agent_version(),
        )
