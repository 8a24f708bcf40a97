"""Which commands an agent carries out. A pure function: the caller keeps the ids it has seen."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum

from fleet_contract.codec import decode
from fleet_contract.commands import Command
from fleet_contract.errors import ContractError, Reason
from fleet_contract.topics import Address, parse_topic

FUTURE_TOLERANCE_MS = 60_000  # clocks differ


class DropReason(StrEnum):
    """Why a command is not carried out."""

    FOREIGN = "foreign"
    RETAINED = "retained"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"
    EXPIRED = "expired"
    FROM_FUTURE = "from_future"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as the broker handed it over."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """Carry it out, and remember its id until `command.expires_at`."""

    command: Command


@dataclass(frozen=True, slots=True)
class Dropped:
    """Leave it. `command` is there when it could be read: then it is worth an answer."""

    reason: DropReason
    command: Command | None = None


def judge(
    arrival: Arrival, fleet: str, agent: str, now_ms: int, seen: Container[str]
) -> Accepted | Dropped:
    """Whether agent `agent` of `fleet` carries out what came on a command topic.

    `seen` holds the ids of all commands accepted before that have not expired, also those from
    before a restart.
    """
    try:
        address = parse_topic(arrival.topic)
        if (address.fleet, address.agent) != (fleet, agent):
            return Dropped(DropReason.FOREIGN)
        command = _command(address, arrival.payload)
    except ContractError as problem:
        unknown = problem.reason is Reason.UNKNOWN_COMMAND
        return Dropped(DropReason.UNKNOWN if unknown else DropReason.MALFORMED)
    reason = _fault(command, now_ms, retained=arrival.retained, seen=seen)
    return Dropped(reason, command) if reason else Accepted(command)


def _fault(
    command: Command, now_ms: int, *, retained: bool, seen: Container[str]
) -> DropReason | None:
    if command.id in seen:
        return DropReason.REPEATED
    if retained:
        return DropReason.RETAINED
    if now_ms >= command.expires_at:
        return DropReason.EXPIRED
    if command.issued_at > now_ms + FUTURE_TOLERANCE_MS:
        return DropReason.FROM_FUTURE
    return None


def _command(address: Address, payload: bytes) -> Command:
    message = decode(address, payload).message
    if not isinstance(message, Command):
        raise ContractError(Reason.BAD_TOPIC, "not a command")
    return message
