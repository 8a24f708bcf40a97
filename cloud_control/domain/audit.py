"""One line of the audit log: who changed what, when, from what to what; never a secret."""

from __future__ import annotations

from pydantic import Field, JsonValue

from cloud_control.domain.fleet import Kept
from fleet_contract.fields import Millis


class AuditEntry(Kept):
    """who: a token's name, `agent FLEET/ID` or `system`; before, after: what changed of it."""

    at: Millis
    who: str
    action: str
    subject: str
    before: dict[str, JsonValue] = Field(default_factory=dict)
    after: dict[str, JsonValue] = Field(default_factory=dict)
