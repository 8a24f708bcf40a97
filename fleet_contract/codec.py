"""Bytes to messages and back: the only way in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from fleet_contract.ack import Ack
from fleet_contract.commands import COMMAND_NAMES, COMMANDS, Command
from fleet_contract.desired import Desired
from fleet_contract.errors import ContractError, Reason
from fleet_contract.fields import CONTRACT_VERSION, Message
from fleet_contract.reported import Reported
from fleet_contract.status import Status
from fleet_contract.stream_state import StreamState
from fleet_contract.strict_json import MAX_PAYLOAD, parse_object
from fleet_contract.telemetry import Telemetry
from fleet_contract.topics import Address, Kind

MESSAGES: Mapping[Kind, type[Message]] = {
    Kind.STATUS: Status,
    Kind.DESIRED: Desired,
    Kind.REPORTED: Reported,
    Kind.STREAM_STATE: StreamState,
    Kind.TELEMETRY: Telemetry,
    Kind.ACK: Ack,
}

_UNKNOWN = "extra_forbidden"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message, and the dotted names of fields that were ignored (only ever from the cloud)."""

    message: Message
    unknown_fields: tuple[str, ...] = ()


def encode(message: Message) -> bytes:
    """UTF-8 JSON without absent fields. Raises ContractError above the payload's limit."""
    payload = message.model_dump_json(exclude_none=True).encode()
    if len(payload) > MAX_PAYLOAD:
        raise ContractError(Reason.TOO_LARGE, f"{len(payload)} bytes, {MAX_PAYLOAD} are allowed")
    return payload


def decode(address: Address, payload: bytes) -> Decoded:
    """Read what came on a topic. Raises ContractError, and nothing else, if it is not valid.

    Unknown fields are an error from a device; from the cloud, which may be newer, they are
    ignored and named.
    """
    kind = message_type(address)
    found = parse_object(payload)
    version = found.get("v")
    if type(version) is not int or version != CONTRACT_VERSION:
        raise ContractError(Reason.UNSUPPORTED_VERSION, f"v must be {CONTRACT_VERSION}")
    try:
        return Decoded(kind.model_validate_json(payload))
    except ValidationError as problem:
        unknown = [error["loc"] for error in problem.errors() if error["type"] == _UNKNOWN]
        if not unknown or address.channel.sender == "device":
            raise _refusal(problem) from None
    for path in unknown:
        _remove(found, path)
    try:
        message = kind.model_validate_json(json.dumps(found))
    except ValidationError as problem:
        raise _refusal(problem) from None
    return Decoded(message, tuple(_dotted(path) for path in unknown))


def message_type(address: Address) -> type[Message]:
    """What a topic carries; raises ContractError for a command that is not known."""
    if address.kind is not Kind.COMMAND:
        return MESSAGES[address.kind]
    if address.name not in COMMANDS:
        raise ContractError(Reason.UNKNOWN_COMMAND, address.name)
    return COMMANDS[address.name]


def command_address(fleet: str, agent: str, command: Command) -> Address:
    """Where a command is published."""
    return Address(Kind.COMMAND, fleet, agent, COMMAND_NAMES[type(command)])


def _remove(found: Any, path: tuple[int | str, ...]) -> None:
    for step in path[:-1]:
        found = found[step]
    del found[path[-1]]


def _refusal(problem: ValidationError) -> ContractError:
    """The first fault, by its place and kind; never by its value."""
    first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
    reason = Reason.UNKNOWN_FIELD if first["type"] == _UNKNOWN else Reason.INVALID
    return ContractError(reason, f"{_dotted(first['loc'])}: {first['msg']}")


def _dotted(path: tuple[int | str, ...]) -> str:
    """A name that fits `FieldPath`, whatever the sender wrote."""
    dotted = ".".join(str(step) for step in path)[:128]
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "?" for c in dotted)
    return safe or "?"
