"""The embedded broker's messages: what is retained, and who gets what.

A topic of the contract has two possible readers, the control plane and the agent whose name it
holds, so a message is handed on without looking through all clients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from cloud_control.adapters.grants import covers
from cloud_control.pki import CONTROL


@dataclass(frozen=True, slots=True)
class Message:
    """One publication."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Client(Protocol):
    """A connection, by the name in its certificate."""

    name: str

    def deliver(self, message: Message, retained: bool) -> None:
        """Send it if a subscription asks for it."""

    def end(self) -> None:
        """Publish its will and close its connection."""


class Exchange:
    """All clients of the broker, one of each name. Used on the broker's own thread only."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._retained: dict[str, dict[str, Message]] = defaultdict(dict)

    @property
    def clients(self) -> tuple[Client, ...]:
        return tuple(self._clients.values())

    def join(self, client: Client) -> None:
        """Let it in; a connection of the same name ends first, and its will comes first."""
        former = self._clients.get(client.name)
        if former is not None:
            former.end()
        self._clients[client.name] = client

    def leave(self, client: Client) -> None:
        if self._clients.get(client.name) is client:
            del self._clients[client.name]

    def publish(self, message: Message) -> None:
        owner = owner_of(message.topic)
        if message.retain and message.payload:
            self._retained[owner][message.topic] = message
        elif message.retain:
            self._retained[owner].pop(message.topic, None)
        for name in (CONTROL, owner):
            client = self._clients.get(name)
            if client is not None:
                client.deliver(message, retained=False)

    def retained(self, pattern: str) -> Iterator[Message]:
        """What is retained on the topics that a filter matches."""
        owner = owner_of(pattern)
        shelves = [self._retained.get(owner, {})]
        if "+" in owner or "#" in owner:
            shelves = list(self._retained.values())
        for shelf in shelves:
            yield from [found for topic, found in shelf.items() if covers(pattern, topic)]


def owner_of(topic: str) -> str:
    """`{fleet}/{agent}` in veilcast/v1/{fleet}/{agent}/..."""
    return "/".join(topic.split("/")[2:4])
