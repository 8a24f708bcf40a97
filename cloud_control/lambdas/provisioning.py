"""The hook that IoT Core asks before it provisions a device: only who has a claim comes in."""

from __future__ import annotations

from typing import Any

import structlog

from cloud_control.errors import CertificateError, RequestError
from cloud_control.lambdas.plane import parts

log = structlog.get_logger()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """parameters: Claim, a claim's token, and Agent, the wished id. The claim is spent."""
    asked = event.get("parameters") or {}
    token, wished = str(asked.get("Claim", "")), str(asked.get("Agent", "")) or None
    try:
        agent = parts().plane.enrolment.admit(token, str(event.get("certificatePem", "")), wished)
    except (RequestError, CertificateError) as problem:
        log.warning("a device was not provisioned", why=str(problem))
        return {"allowProvisioning": False}
    return {"allowProvisioning": True, "parameterOverrides": {"Agent": agent.id}}
