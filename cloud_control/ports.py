"""What the control plane needs from its surroundings; every adapter passes the same tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from fleet_contract.endpoint import Endpoint
from fleet_contract.topics import Address

MAX_CHANGES = 100  # in one commit: what the narrowest store can do at once


@dataclass(frozen=True, slots=True)
class Record:
    """A document (JSON text) under a kind and a key; revision grows by 1 with each change."""

    kind: str
    key: str
    value: str
    revision: int


@dataclass(frozen=True, slots=True)
class Put:
    """Write a document. expected: the revision that must stand there now; 0: nothing must."""

    kind: str
    key: str
    value: str
    expected: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a document of that revision."""

    kind: str
    key: str
    expected: int


class Store(Protocol):
    """Documents that outlive the process. Callable from any thread."""

    def get(self, kind: str, key: str) -> Record | None: ...

    def list(
        self, kind: str, prefix: str = "", after: str = "", limit: int = 100
    ) -> Sequence[Record]:
        """Documents of a kind whose keys begin with `prefix` and come after `after`, by key."""

    def commit(self, changes: Sequence[Put | Delete]) -> None:
        """All of it or nothing, durable on return. Raises ConflictError when a revision is not the
        one expected, ValueError for more than MAX_CHANGES or a document named twice."""


class WholeStore(Store, Protocol):
    """A store that can be moved. Kinds that begin with an underscore are its processes' own notes
    and stay behind."""

    def every(self) -> Iterator[Record]:
        """All documents, in any order. What changes meanwhile may be among them or not."""

    def fill(self, records: Iterable[Record]) -> None:
        """Put documents with their revisions into a store that has none: all, or none that anybody
        sees as done. Raises DataFolderError when it has some."""


class Bus(Protocol):
    """The channels of the fleet's contract. Handlers are called in order, from one thread."""

    @property
    def connected(self) -> bool: ...

    def publish(self, address: Address, payload: bytes) -> None:
        """Send, with the QoS and retain flag of the address's channel. Raises BrokerError."""

    def clear(self, address: Address) -> None:
        """Remove what is retained there."""

    def subscribe(self, handler: Callable[[Address, bytes], None]) -> None:
        """Hand over every message of every agent. A handler should only put down what it got."""

    def on_connected(self, handler: Callable[[], None]) -> None:
        """Call it after each connection, before any message."""


class Certifier(Protocol):
    """Gives devices their certificates. Both raise CertificateError."""

    def certify(self, csr_pem: str, fleet: str, agent: str) -> str:
        """A certificate (PEM) for the key of a request, named after the agent."""

    def revoke(self, pem: str) -> None:
        """From now on the broker refuses it."""


class Entrance(Protocol):
    """Where streams are published that name no sink of their own."""

    def open(self, stream: str) -> Endpoint:
        """A sink with the key that lets this stream in. Raises RequestError where nothing takes
        streams, TakenError where it is open already."""

    def renew(self, stream: str) -> str:
        """A new key; the old one is void."""

    def close(self, stream: str) -> None:
        """The stream is gone; nothing happens if it never was."""


Clock = Callable[[], int]
"""Milliseconds since 1970-01-01 UTC."""
