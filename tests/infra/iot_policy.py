"""What an IoT policy grants, judged as AWS IoT Core does; where in doubt it grants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import topic_matches_sub

ARN = "arn:aws:iot:eu-west-1:123456789012"
_VARIABLE = re.compile(r"\$\{(iot:Connection\.Thing\.[A-Za-z]+(?:\[\w+\])?)\}")


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection: the thing that its certificate belongs to. No attributes: to none."""

    thing: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """What stands in the place of a policy's variables; what is missing cannot be filled in."""
        if not self.thing:
            return {"iot:Connection.Thing.IsAttached": "false"}
        return {
            "iot:Connection.Thing.IsAttached": "true",
            "iot:Connection.Thing.ThingName": self.thing,
            **{f"iot:Connection.Thing.Attributes[{k}]": v for k, v in self.attributes.items()},
        }


class Policy:
    """A policy with statements that allow; none of ours denies."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._statements = document["Statement"]
        assert all(each["Effect"] == "Allow" for each in self._statements)

    def connects(self, who: Connection, client: str) -> bool:
        return self._allows(who, "iot:Connect", f"{ARN}:client/{client}")

    def publishes(self, who: Connection, topic: str, *, retained: bool = False) -> bool:
        allowed = self._allows(who, "iot:Publish", f"{ARN}:topic/{topic}")
        kept = not retained or self._allows(who, "iot:RetainPublish", f"{ARN}:topic/{topic}")
        return allowed and kept

    def subscribes(self, who: Connection, filter_: str) -> bool:
        return self._allows(who, "iot:Subscribe", f"{ARN}:topicfilter/{filter_}")

    def hears(self, who: Connection, filter_: str, topic: str) -> bool:
        """Whether a message on a topic reaches the connection by a subscription."""
        return (
            self.subscribes(who, filter_)
            and topic_matches_sub(filter_, topic)
            and self._allows(who, "iot:Receive", f"{ARN}:topic/{topic}")
        )

    def _allows(self, who: Connection, action: str, resource: str) -> bool:
        return any(
            action in _list(each["Action"])
            and any(_matches(one, resource, who) for one in _list(each["Resource"]))
            and _holds(each.get("Condition", {}), who)
            for each in self._statements
        )


def _matches(pattern: str, resource: str, who: Connection) -> bool:
    """`*` and `?` also work when a variable's value brings them: the worst that can be meant."""
    values = who.variables
    if any(name not in values for name in _VARIABLE.findall(pattern)):
        return False
    filled = _VARIABLE.sub(lambda found: values[found[1]], pattern)
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in filled)
    return re.fullmatch("".join(parts), resource, re.DOTALL) is not None


def _holds(condition: Mapping[str, Mapping[str, str]], who: Connection) -> bool:
    assert set(condition) <= {"Bool"}, "the evaluator knows no other condition"
    return all(
        who.variables.get(name) == value for name, value in condition.get("Bool", {}).items()
    )


def _list(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
