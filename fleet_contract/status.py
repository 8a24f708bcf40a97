"""Whether an agent is connected, and which of two statements about it counts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fleet_contract.fields import Message, Millis, Ordinal, Version


class Status(Message):
    """Sent on connecting and before a planned end, and left with the broker as the last will."""

    state: Literal["online", "offline"] = Field(description="whether the agent is connected")
    connection: Ordinal = Field(description="number of the connection; grows with each")
    at: Millis = Field(
        description="when this was written (a will: when its connection began), "
        "ms since 1970-01-01 UTC"
    )
    reason: Literal["connected", "lost", "shutdown"] = Field(
        description="`lost` in the last will alone, `shutdown` before a planned end"
    )
    agent_version: Version = Field(description="version of the agent's software")


def overrules(new: Status, old: Status) -> bool:
    """Whether `new` counts after `old`, in whatever order they arrived.

    A will of an earlier connection never overrules a later one; within one connection, offline is
    final.
    """
    return (new.connection, new.state == "offline") >= (old.connection, old.state == "offline")


def next_connection(last: int, now_ms: int) -> int:
    """The number for a new connection. `last` is the highest that the agent ever used or saw on
    its own status topic, 0 if none; the clock bridges a lost disk."""
    return max(last + 1, now_ms)
