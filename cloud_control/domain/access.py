"""Who may do what: operators' roles and tokens, and the claims by which devices join."""

from __future__ import annotations

import hashlib
import secrets
from enum import StrEnum

from pydantic import Field

from cloud_control.domain.fleet import Kept, Labels
from fleet_contract.fields import Id, Millis

_ORDER = ("viewer", "operator", "admin")


class Role(StrEnum):
    """A viewer sees, an operator steers streams, agents and rollouts, an admin lets others in."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, other: Role) -> bool:
        return _ORDER.index(self) >= _ORDER.index(other)


class OperatorToken(Kept):
    """A person's or program's token; the text itself is not kept. expires_at None: never."""

    id: Id
    name: str = Field(min_length=1, max_length=64)
    role: Role
    digest: str
    created_at: Millis
    expires_at: Millis | None = None


class Claim(Kept):
    """Lets one device join. agent: the only id it may take; None: the one it wishes, or a new one.
    used_by: the agent that spent it."""

    id: Id
    fleet: Id
    digest: str
    agent: Id | None = None
    labels: Labels = Field(default_factory=dict)
    created_at: Millis
    expires_at: Millis
    used_by: Id | None = None


def new_secret(kind: str) -> str:
    """256 random bits, with a prefix by which a leaked one is recognised."""
    return f"{kind}_{secrets.token_urlsafe(32)}"


def digest_of(secret: str) -> str:
    """What is stored and looked up instead of the secret. It has 256 random bits, so neither salt
    nor stretching adds anything."""
    return hashlib.sha256(secret.encode()).hexdigest()
