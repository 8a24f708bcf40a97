"""Streams: made, listed, changed, removed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query

from cloud_control.api.agents import Page
from cloud_control.api.body import body_of, described
from cloud_control.api.who import Who
from cloud_control.domain.access import OperatorToken, Role
from cloud_control.domain.fleet import Stream, agent_key
from cloud_control.plane import Plane
from cloud_control.service.streams import StreamChange, StreamRequest, public
from fleet_contract.fields import Id

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=128)]


def router(plane: Plane, who: Who) -> APIRouter:
    routes = APIRouter(prefix="/v1/streams", tags=["streams"])
    viewer, operator = who.at_least(Role.VIEWER), who.at_least(Role.OPERATOR)

    @routes.post("", status_code=201, openapi_extra=described(StreamRequest))
    def add(
        token: OperatorToken = operator,
        body: StreamRequest = body_of(StreamRequest),
        key: IdempotencyKey = None,
    ) -> dict[str, Any]:
        """Make a stream; the answer holds its publish key. With an Idempotency-Key, a repetition
        gets the first answer."""

        def work() -> dict[str, Any]:
            made = plane.streams.add(token.name, plane.fleet, body)
            return {**public(made), "publish_key": made.publish_key}

        return plane.once.do(f"{token.id} {key}" if key else None, body.model_dump_json(), work)

    @routes.get("")
    def page(
        _: OperatorToken = viewer,
        category: Annotated[int | None, Query(ge=0, le=1000)] = None,
        after: str = "",
        limit: Page = 100,
    ) -> dict[str, Any]:
        """Streams by id. `next`, if there is one, is the `after` of the next page."""
        found = plane.streams.page(plane.fleet, after, limit, category)
        return {
            "streams": [_shown(plane, one) for one in found],
            "next": found[-1].id if len(found) == limit else None,
        }

    @routes.get("/{stream}")
    def one(stream: Id, _: OperatorToken = viewer) -> dict[str, Any]:
        """One stream and how it stands."""
        return _shown(plane, plane.streams.get(plane.fleet, stream))

    @routes.get("/{stream}/camera")
    def camera(stream: Id, _: OperatorToken = operator) -> dict[str, Any]:
        """What a page needs to know the stream's agent by, before it sends it a camera: the
        agent's voucher for its WebRTC certificate, null while it waits for none, and the public
        keys (SPKI, base64) that the agent enrolled."""
        one = plane.streams.get(plane.fleet, stream)
        standing = plane.live.of(one.fleet, one.agent)
        state = standing.streams.get(one.id)
        return {
            "subject": agent_key(one.fleet, one.agent),
            "voucher": state.camera if state is not None and standing.current(state) else None,
            "keys": plane.enrolment.keys(one.fleet, one.agent),
        }

    @routes.patch("/{stream}", openapi_extra=described(StreamChange))
    def change(
        stream: Id, token: OperatorToken = operator, body: StreamChange = body_of(StreamChange)
    ) -> dict[str, Any]:
        """Change what is named; the rest stays."""
        return _shown(plane, plane.streams.change(token.name, plane.fleet, stream, body))

    @routes.delete("/{stream}", status_code=204)
    def remove(stream: Id, token: OperatorToken = operator) -> None:
        """End the stream and forget it."""
        plane.streams.remove(token.name, plane.fleet, stream)

    @routes.post("/{stream}/key")
    def rotate(stream: Id, token: OperatorToken = operator) -> dict[str, Any]:
        """A new publish key; the old one is void at once."""
        made = plane.streams.rotate_key(token.name, plane.fleet, stream)
        return {**public(made), "publish_key": made.publish_key}

    return routes


def _shown(plane: Plane, stream: Stream) -> dict[str, Any]:
    standing = plane.live.of(stream.fleet, stream.agent)
    state = standing.streams.get(stream.id)
    current = state is not None and standing.current(state)
    return {
        **public(stream),
        "state": state.state if state is not None and current else None,
        "run": state.run if state is not None and current else None,
        "reason": state.reason if state is not None and current else None,
        "loosened": (
            [one.model_dump(mode="json") for one in state.loosened]
            if state is not None and current
            else []
        ),
        "veiled": bool(current and state and state.veiled),
        "source_connected": bool(current and state and state.source_connected),
        "agent_online": standing.online,
    }
