"""What functions ask of AWS while they work, as the actions that their roles must allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

import pytest
from botocore.client import BaseClient

REGION = "eu-west-1"
SAME_AS = {"HeadObject": "GetObject", "ListObjectsV2": "ListBucket"}


@dataclass
class Calls:
    """made: pairs of an action and the resource it is about ("" where that is not looked at), by
    the function that was at work."""

    made: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    _at_work: str = ""

    def watch(self, patch: pytest.MonkeyPatch, functions: Mapping[str, ModuleType]) -> None:
        """From now on, until the patches are undone."""
        for name, module in functions.items():
            patch.setattr(module, "handler", self._noting(name, module.handler))
        whole = BaseClient._make_api_call

        def call(client: Any, operation: str, told: dict[str, Any]) -> Any:
            if self._at_work:
                service = client.meta.service_model.service_name
                self.made.setdefault(self._at_work, set()).update(asked(service, operation, told))
            return whole(client, operation, told)

        patch.setattr(BaseClient, "_make_api_call", call)

    def refused(self, function: str, policy: Mapping[str, Any]) -> set[tuple[str, str]]:
        """What a role with this policy would not have let the function do."""
        return {one for one in self.made[function] if not allowed(*one, policy)}

    def _noting(self, name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*event: Any) -> Any:
            self._at_work = name
            try:
                return handler(*event)
            finally:
                self._at_work = ""

        return noted


def asked(service: str, operation: str, told: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The actions behind one call."""
    if operation == "TransactWriteItems":
        return {(f"dynamodb:{each}Item", "") for item in told["TransactItems"] for each in item}
    if service == "iot-data":
        topic = f"arn:aws:iot:{REGION}:123456789012:topic/{told['topic']}"
        return {(f"iot:{each}", topic) for each in ("Publish", "RetainPublish")
                if each == "Publish" or told["retain"]}  # fmt: skip
    action = f"{service}:{SAME_AS.get(operation, operation)}"
    if service == "s3":
        key = f"/{told['Key']}" if "Key" in told else ""
        return {(action, f"arn:aws:s3:::{told['Bucket']}{key}")}
    return {(action, "")} | ({("ivs:TagResource", "")} if "tags" in told else set())


def allowed(action: str, resource: str, policy: Mapping[str, Any]) -> bool:
    return any(
        action in _list(each["Action"])
        and (not resource or any(fnmatchcase(resource, one) for one in _list(each["Resource"])))
        for each in policy["Statement"]
    )


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
