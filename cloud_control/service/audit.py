"""The audit log: written in the same commit as the change that it tells of."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from cloud_control.domain.audit import AuditEntry
from cloud_control.ports import Clock, Put, Store
from cloud_control.service.records import Shelf

SECRET_FIELDS = frozenset({"publish_key", "key", "digest", "pem", "certificates"})


class Audit:
    """Entries by time; their keys sort as they were made, milliseconds apart."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._shelf = Shelf(store, "audit", AuditEntry)
        self._clock = clock

    def entry(
        self,
        who: str,
        action: str,
        subject: str,
        before: BaseModel | Mapping[str, Any] | None = None,
        after: BaseModel | Mapping[str, Any] | None = None,
    ) -> Put:
        """A change that notes what differs between two states of something, without secrets."""
        old, new = _plain(before), _plain(after)
        same = {name for name in old.keys() & new.keys() if old[name] == new[name]}
        now_ms = self._clock()
        entry = AuditEntry(
            at=now_ms,
            who=who,
            action=action,
            subject=subject,
            before={name: value for name, value in old.items() if name not in same},
            after={name: value for name, value in new.items() if name not in same},
        )
        return self._shelf.put(f"{now_ms:015d}-{secrets.token_hex(4)}", entry)

    def page(self, after: str, limit: int) -> list[tuple[str, AuditEntry]]:
        """Entries after a key, oldest first, each with its key."""
        return [(held.key, held.value) for held in self._shelf.page(after=after, limit=limit)]


def _plain(state: BaseModel | Mapping[str, Any] | None) -> dict[str, Any]:
    if state is None:
        return {}
    values = state.model_dump(mode="json") if isinstance(state, BaseModel) else dict(state)
    return {name: _without_secrets(value) for name, value in values.items() if _open(name)}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(inner) for name, inner in value.items() if _open(name)}
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return value


def _open(name: str) -> bool:
    return name not in SECRET_FIELDS
