"""Agents: how they stand, how they protect, commands to them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cloud_control.api.body import body_of, described
from cloud_control.api.who import Who
from cloud_control.domain.access import OperatorToken, Role
from cloud_control.domain.fleet import Agent, agent_key, version_of
from cloud_control.plane import Plane
from cloud_control.service.commands import LIFE_SECONDS
from cloud_control.service.standings import Standing
from fleet_contract.fields import Id
from fleet_contract.protection import Protection

Page = Annotated[int, Query(ge=1, le=500)]
MAX_WAIT = 60.0


class CommandRequest(BaseModel):
    """The command's own fields, such as `stream`, besides how long it may be carried out."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    life_seconds: int = Field(LIFE_SECONDS, ge=1, le=900)


class TelemetryRequest(BaseModel):
    """seconds: between an agent's telemetries."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    seconds: int = Field(ge=1, le=3600)


def router(plane: Plane, who: Who) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["agents"])
    viewer, operator = who.at_least(Role.VIEWER), who.at_least(Role.OPERATOR)
    admin = who.at_least(Role.ADMIN)

    @routes.get("/agents")
    def agents(_: OperatorToken = viewer, after: str = "", limit: Page = 100) -> dict[str, Any]:
        """Agents by id. `next`, if there is one, is the `after` of the next page."""
        start = agent_key(plane.fleet, after) if after else ""
        page = plane.documents.agents.page(f"{plane.fleet}/", start, limit)
        rules = plane.documents.rules(plane.fleet).value
        standings = plane.live.of_many(plane.fleet, [one.value.id for one in page])
        found = [
            shown(one.value, version_of(rules, one.value), standings[one.value.id]) for one in page
        ]
        return {"agents": found, "next": page[-1].value.id if len(page) == limit else None}

    @routes.get("/agents/{agent}")
    def agent_shown(agent: Id, _: OperatorToken = viewer) -> dict[str, Any]:
        """All that is known of one agent."""
        held = plane.documents.agents.need(agent_key(plane.fleet, agent))
        rules = plane.documents.rules(plane.fleet).value
        return detailed(plane, held.value, version_of(rules, held.value))

    @routes.delete("/agents/{agent}", status_code=204)
    def revoke(agent: Id, token: OperatorToken = admin) -> None:
        """Shut a device out, at once and until it joins anew by a claim."""
        plane.enrolment.revoke(token.name, plane.fleet, agent)

    @routes.put("/agents/{agent}/protection", openapi_extra=described(Protection))
    def protect(
        agent: Id, token: OperatorToken = operator, body: Protection = body_of(Protection)
    ) -> dict[str, JsonValue]:
        """How all of the agent's streams protect that have no rules of their own. What loosens
        waits for consent on the device."""
        return {"version": plane.protection.set_agent(token.name, plane.fleet, agent, body)}

    @routes.delete("/agents/{agent}/protection")
    def protect_as_fleet(agent: Id, token: OperatorToken = operator) -> dict[str, JsonValue]:
        """Back to the fleet's rules."""
        return {"version": plane.protection.set_agent(token.name, plane.fleet, agent, None)}

    @routes.get("/protection")
    def fleet_protection(_: OperatorToken = viewer) -> dict[str, Any]:
        """How agents protect that have no rules of their own."""
        return plane.protection.of_fleet(plane.fleet).model_dump(mode="json", exclude_none=True)

    @routes.put("/protection", openapi_extra=described(Protection))
    def protect_fleet(
        token: OperatorToken = operator, body: Protection = body_of(Protection)
    ) -> dict[str, JsonValue]:
        """Change that for the whole fleet."""
        return {"agents": plane.protection.set_fleet(token.name, plane.fleet, body)}

    @routes.get("/telemetry")
    def telemetry(_: OperatorToken = viewer) -> dict[str, JsonValue]:
        """How often agents send their figures."""
        return {"seconds": plane.reporting.seconds(plane.fleet)}

    @routes.put("/telemetry", openapi_extra=described(TelemetryRequest))
    def set_telemetry(
        token: OperatorToken = operator, body: TelemetryRequest = body_of(TelemetryRequest)
    ) -> dict[str, JsonValue]:
        """Change that: what it costs grows with it."""
        return {"agents": plane.reporting.set(token.name, plane.fleet, body.seconds)}

    @routes.post(
        "/agents/{agent}/commands/{name}", status_code=202, openapi_extra=described(CommandRequest)
    )
    def command(
        agent: Id,
        name: str,
        token: OperatorToken = operator,
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT)] = 0.0,
        body: CommandRequest = body_of(CommandRequest),
    ) -> dict[str, Any]:
        """Ask an agent for something, once; waits so many seconds for its final answer."""
        command_id = plane.commands.issue(
            token.name, plane.fleet, agent, name, body.model_extra or {}, body.life_seconds
        )
        return _answered(plane, agent, command_id, wait)

    @routes.get("/agents/{agent}/commands/{command_id}/ack")
    def ack(
        agent: Id,
        command_id: Id,
        _: OperatorToken = viewer,
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT)] = 0.0,
    ) -> dict[str, Any]:
        """The newest answer to a command of the last minutes."""
        return _answered(plane, agent, command_id, wait)

    return routes


def _answered(plane: Plane, agent: str, command_id: str, wait: float) -> dict[str, Any]:
    found = plane.commands.answer(plane.fleet, agent, command_id, wait)
    ack = found.model_dump(mode="json", exclude_none=True) if found else None
    return {"id": command_id, "agent": agent, "ack": ack}


def shown(agent: Agent, version: int, standing: Standing) -> dict[str, Any]:
    """One agent in a line of a list."""
    reported, status = standing.reported, standing.status
    return {
        "id": agent.id,
        "labels": agent.labels,
        "revoked": agent.revoked,
        "online": standing.online,
        "heard_at": standing.heard_at or None,
        "agent_version": status.agent_version if status else None,
        "version": version,
        "applied": reported.applied if reported else 0,
        "converged": bool(
            reported
            and reported.applied >= version
            and all(stream.converged for stream in reported.streams)
        ),
        "held_back": len(reported.held_back) if reported else 0,
        "refused": reported.refused.reason if reported and reported.refused else None,
        "model": reported.model.model_dump(mode="json") if reported and reported.model else None,
        "update": (
            reported.update.model_dump(mode="json", exclude_none=True)
            if reported and reported.update
            else None
        ),
        "streams": {
            name: state.state if standing.current(state) else "UNKNOWN"
            for name, state in standing.streams.items()
        },
        "unverified_frames_sent": standing.unverified,
    }


def detailed(plane: Plane, agent: Agent, version: int) -> dict[str, Any]:
    standing = plane.live.of(agent.fleet, agent.id)
    rules = plane.documents.rules(agent.fleet).value
    return {
        **shown(agent, version, standing),
        "enrolled_at": agent.enrolled_at,
        "protection": (agent.protection or rules.protection).model_dump(
            mode="json", exclude_none=True
        ),
        "own_protection": agent.protection is not None,
        "wanted_model": agent.model.model_dump(mode="json") if agent.model else None,
        "reported": (
            standing.reported.model_dump(mode="json", exclude_none=True)
            if standing.reported
            else None
        ),
        "telemetry": (
            standing.telemetry.model_dump(mode="json", exclude_none=True)
            if standing.telemetry
            else None
        ),
        "stream_states": {
            name: {
                "past": not standing.current(state),
                **state.model_dump(mode="json", exclude_none=True),
            }
            for name, state in standing.streams.items()
        },
    }
