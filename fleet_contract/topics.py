"""Topics: built, parsed, and what MQTT must do with each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from fleet_contract.errors import ContractError, Reason
from fleet_contract.fields import ID_PATTERN

ROOT = "veilcast/v1"
ANY = "+"
MAX_TOPIC = 256  # bytes: the smallest limit among the brokers that must serve

_ID = re.compile(ID_PATTERN.removeprefix("^").removesuffix("$"))


class Kind(StrEnum):
    """What a topic carries."""

    STATUS = "status"
    DESIRED = "desired"
    REPORTED = "reported"
    STREAM_STATE = "stream_state"
    TELEMETRY = "telemetry"
    COMMAND = "command"
    ACK = "ack"


@dataclass(frozen=True, slots=True)
class Channel:
    """What follows `veilcast/v1/{fleet}/{agent}/`, and how it travels. {name} is an id."""

    tail: str
    sender: Literal["device", "cloud"]
    qos: Literal[0, 1]
    retain: bool


CHANNELS: Mapping[Kind, Channel] = {
    Kind.STATUS: Channel("status", "device", qos=1, retain=True),
    Kind.DESIRED: Channel("desired", "cloud", qos=1, retain=True),
    Kind.REPORTED: Channel("reported", "device", qos=1, retain=True),
    Kind.STREAM_STATE: Channel("streams/{name}/state", "device", qos=1, retain=True),
    Kind.TELEMETRY: Channel("telemetry", "device", qos=0, retain=False),
    Kind.COMMAND: Channel("cmd/{name}", "cloud", qos=1, retain=False),
    Kind.ACK: Channel("ack/{name}", "device", qos=1, retain=False),
}


@dataclass(frozen=True, slots=True)
class Address:
    """A topic in parts. `name` is the stream's id, the command's name or the command's id.

    Raises ContractError when a part is no id, or when a name is missing or one too many.
    """

    kind: Kind
    fleet: str
    agent: str
    name: str = ""

    def __post_init__(self) -> None:
        named = "{name}" in CHANNELS[self.kind].tail
        ids = [self.fleet, self.agent, *([self.name] if named else [])]
        if not all(_ID.fullmatch(part) for part in ids) or (self.name and not named):
            raise ContractError(Reason.BAD_TOPIC, f"{self.kind}: {'/'.join(ids)}")

    def __str__(self) -> str:
        tail = CHANNELS[self.kind].tail.format(name=self.name)
        return f"{ROOT}/{self.fleet}/{self.agent}/{tail}"

    @property
    def channel(self) -> Channel:
        return CHANNELS[self.kind]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter and the QoS to ask for."""

    filter: str
    qos: Literal[0, 1]


def parse_topic(topic: str) -> Address:
    """The parts of a topic; raises ContractError when it is none of this contract's."""
    if len(topic) <= MAX_TOPIC and topic.startswith(ROOT + "/"):
        fleet, _, rest = topic.removeprefix(ROOT + "/").partition("/")
        agent, _, tail = rest.partition("/")
        for kind, channel in CHANNELS.items():
            before, name, after = channel.tail.partition("{name}")
            if not name and tail == channel.tail:
                return Address(kind, fleet, agent)
            if name and tail.startswith(before) and tail.endswith(after):
                return Address(kind, fleet, agent, tail[len(before) : len(tail) - len(after)])
    raise ContractError(Reason.BAD_TOPIC, topic)


def client_id(fleet: str, agent: str) -> str:
    """MQTT's client id of an agent. Ids hold no dot, so no two agents share one."""
    return f"{fleet}.{agent}"


def agent_reads(fleet: str, agent: str) -> tuple[Subscription, ...]:
    """What an agent subscribes to, and all that a broker should let it read.

    Its own status is among them: so it sees when a late will has overwritten it.
    """
    own = _filter(Kind.STATUS, fleet, agent)
    return (own, *(_filter(kind, fleet, agent) for kind in _sent_by("cloud")))


def agent_writes(fleet: str, agent: str) -> tuple[Subscription, ...]:
    """All that a broker should let an agent publish, as filters with the QoS used."""
    return tuple(_filter(kind, fleet, agent) for kind in _sent_by("device"))


def control_reads(fleet: str = ANY) -> tuple[Subscription, ...]:
    """What the control plane subscribes to, for one fleet or for all."""
    return tuple(_filter(kind, fleet, ANY) for kind in _sent_by("device"))


def _sent_by(sender: str) -> list[Kind]:
    return [kind for kind, channel in CHANNELS.items() if channel.sender == sender]


def _filter(kind: Kind, fleet: str, agent: str) -> Subscription:
    for part in (fleet, agent):
        if part != ANY and not _ID.fullmatch(part):
            raise ContractError(Reason.BAD_TOPIC, part)
    tail = CHANNELS[kind].tail.format(name=ANY)
    return Subscription(f"{ROOT}/{fleet}/{agent}/{tail}", CHANNELS[kind].qos)
