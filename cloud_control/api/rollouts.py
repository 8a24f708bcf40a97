"""Rollouts of models: started, watched, paused, resumed, aborted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import TypeAdapter

from cloud_control.api.body import body_of, described
from cloud_control.api.who import Who
from cloud_control.domain.access import OperatorToken, Role
from cloud_control.domain.fleet import Kept
from cloud_control.domain.rollout_plan import Plan
from cloud_control.plane import Plane
from cloud_control.service.rollouts import FleetRollout, summary
from fleet_contract.fields import Id
from fleet_contract.wanted_model import WantedModel

_PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)


class RolloutRequest(Kept):
    """The model to spread, and how."""

    model: WantedModel
    plan: Plan = Plan()


def router(plane: Plane, who: Who) -> APIRouter:
    routes = APIRouter(prefix="/v1/rollouts", tags=["rollouts"])
    viewer, operator = who.at_least(Role.VIEWER), who.at_least(Role.OPERATOR)

    @routes.post("", status_code=201, openapi_extra=described(RolloutRequest))
    def start(
        token: OperatorToken = operator, body: RolloutRequest = body_of(RolloutRequest)
    ) -> dict[str, Any]:
        """Begin a rollout; one at a time."""
        made = plane.rollouts.start(token.name, plane.fleet, body.model, body.plan)
        return _detailed(plane, made)

    @routes.get("")
    def every(_: OperatorToken = viewer) -> dict[str, Any]:
        """All rollouts, oldest first."""
        return {"rollouts": [summary(one) for one in plane.rollouts.all(plane.fleet)]}

    @routes.get("/{rollout}")
    def one(rollout: Id, _: OperatorToken = viewer) -> dict[str, Any]:
        """One rollout, its plan, and how each agent stands that was told."""
        return _detailed(plane, plane.rollouts.get(plane.fleet, rollout))

    @routes.post("/{rollout}/pause")
    def pause(rollout: Id, token: OperatorToken = operator) -> dict[str, Any]:
        """Tell nobody else until resumed."""
        return _detailed(plane, plane.rollouts.pause(token.name, plane.fleet, rollout))

    @routes.post("/{rollout}/resume")
    def resume(rollout: Id, token: OperatorToken = operator) -> dict[str, Any]:
        """Go on, also through a gate that stayed shut."""
        return _detailed(plane, plane.rollouts.resume(token.name, plane.fleet, rollout))

    @routes.post("/{rollout}/abort")
    def abort(rollout: Id, token: OperatorToken = operator) -> dict[str, Any]:
        """The emergency stop: end it, and send everyone back to the former model."""
        return _detailed(plane, plane.rollouts.abort(token.name, plane.fleet, rollout))

    return routes


def _detailed(plane: Plane, kept: FleetRollout) -> dict[str, Any]:
    outcomes = plane.rollouts.outcomes(kept)
    return {
        **summary(kept),
        "started_at": kept.started_at,
        "started_by": kept.started_by,
        "plan": _PLAN.dump_python(kept.rollout.plan, mode="json"),
        "agents": [
            {"agent": name, "wave": told.wave, "outcome": outcome.value, "failed": told.failed}
            for name, (told, outcome) in outcomes.items()
        ],
    }
