"""Operators' tokens, and the audit log of what they did."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from cloud_control.api.agents import Page
from cloud_control.api.body import body_of, described
from cloud_control.api.who import Who
from cloud_control.domain.access import OperatorToken, Role
from cloud_control.domain.fleet import Kept
from cloud_control.plane import Plane
from fleet_contract.fields import Id


class TokenRequest(Kept):
    """name: who will use it; seconds: how long it is good for; absent: for ever."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w .@-]+$")
    role: Role
    seconds: int | None = Field(None, ge=60)


def router(plane: Plane, who: Who) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["operators"])
    viewer, admin = who.at_least(Role.VIEWER), who.at_least(Role.ADMIN)

    @routes.get("/whoami")
    def whoami(token: OperatorToken = viewer) -> dict[str, Any]:
        """The token's own name and role."""
        return _shown(token)

    @routes.post("/tokens", status_code=201, openapi_extra=described(TokenRequest))
    def make(
        token: OperatorToken = admin, body: TokenRequest = body_of(TokenRequest)
    ) -> dict[str, Any]:
        """Let somebody in. The token is shown now and never again."""
        made, secret = plane.access.make(token.name, body.name, body.role, body.seconds)
        return {**_shown(made), "token": secret}

    @routes.get("/tokens")
    def every(_: OperatorToken = admin) -> dict[str, Any]:
        """All tokens, without their secrets."""
        return {"tokens": [_shown(one) for one in plane.access.all()]}

    @routes.delete("/tokens/{token_id}", status_code=204)
    def withdraw(token_id: Id, token: OperatorToken = admin) -> None:
        """Make a token void."""
        plane.access.withdraw(token.name, token_id)

    @routes.get("/audit")
    def audit(
        _: OperatorToken = who.at_least(Role.OPERATOR), after: str = "", limit: Page = 100
    ) -> dict[str, Any]:
        """Who changed what, oldest first. `next` is the `after` of the next page."""
        page = plane.audit.page(after, limit)
        return {
            "entries": [{"id": key, **one.model_dump(mode="json")} for key, one in page],
            "next": page[-1][0] if len(page) == limit else None,
        }

    return routes


def _shown(token: OperatorToken) -> dict[str, Any]:
    return token.model_dump(mode="json", exclude={"digest"})
