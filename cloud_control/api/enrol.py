"""Devices join by a claim, and ask for certificates of new keys."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field, JsonValue

from cloud_control.api.body import body_of, described
from cloud_control.api.who import Who
from cloud_control.domain.access import OperatorToken, Role
from cloud_control.domain.fleet import Kept, Labels
from cloud_control.plane import Plane
from cloud_control.service.enrolment import CLAIM_LIFE_S, Device
from fleet_contract.fields import Id

MAX_PEM = 16_000


class EnrolRequest(Kept):
    """token: the claim's; csr: a request (PEM) for the key that the device made; agent: the id it
    would like."""

    token: str = Field(min_length=1, max_length=200)
    csr: str = Field(min_length=1, max_length=MAX_PEM)
    agent: Id | None = None


class CertificateRequest(Kept):
    """csr: a request (PEM) for the device's new key."""

    csr: str = Field(min_length=1, max_length=MAX_PEM)


class ClaimRequest(Kept):
    """agent: the only id that it lets in; seconds: how long it may be spent."""

    agent: Id | None = None
    labels: Labels = Field(default_factory=dict)
    seconds: int = Field(CLAIM_LIFE_S, ge=60, le=30 * 24 * 3600)


def router(plane: Plane, who: Who, reach: Any) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["enrolment"])
    operator = who.at_least(Role.OPERATOR)

    @routes.post("/enrol", status_code=201, openapi_extra=described(EnrolRequest))
    def enrol(request: Request, body: EnrolRequest = body_of(EnrolRequest)) -> dict[str, JsonValue]:
        """Spend a claim token; the device gets its identity and where to go."""
        agent = who.enrolling(request, body.token, body.csr, body.agent)
        host, port = reach.broker
        models = reach.models_url or f"{reach.url}/models"
        return {
            "fleet": agent.fleet,
            "agent": agent.id,
            "certificate": agent.certificates[-1].pem,
            "ca": reach.authority,
            "broker": {"host": host, "port": port},
            "models": {
                "metadata_url": f"{models}/metadata/",
                "targets_url": f"{models}/targets/",
                "root": reach.root(),
            },
        }

    @routes.post("/device/certificate", openapi_extra=described(CertificateRequest))
    def certificate(
        device: Device = Depends(who.device),
        body: CertificateRequest = body_of(CertificateRequest),
    ) -> dict[str, str]:
        """A certificate for a device's new key."""
        return {"certificate": plane.enrolment.recertify(device, body.csr)}

    @routes.post("/claims", status_code=201, openapi_extra=described(ClaimRequest))
    def claim(
        token: OperatorToken = operator, body: ClaimRequest = body_of(ClaimRequest)
    ) -> dict[str, JsonValue]:
        """Let one device join. The token is shown now and never again."""
        made, secret = plane.enrolment.claim(
            token.name, plane.fleet, body.agent, body.labels, body.seconds
        )
        return {**made.model_dump(mode="json", exclude={"digest"}), "token": secret}

    @routes.get("/claims")
    def claims(_: OperatorToken = operator) -> dict[str, JsonValue]:
        """All claims, spent ones too; without their tokens."""
        found = plane.enrolment.claims()
        return {"claims": [one.model_dump(mode="json", exclude={"digest"}) for one in found]}

    @routes.delete("/claims/{claim_id}", status_code=204)
    def withdraw(claim_id: Id, token: OperatorToken = operator) -> None:
        """Make a claim void."""
        plane.enrolment.withdraw(token.name, claim_id)

    return routes
