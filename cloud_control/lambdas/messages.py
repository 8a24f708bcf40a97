"""What agents say, by rules of IoT Core, one message an invocation and in any order.

An invocation that fails is repeated by Lambda: each message changes the same once and twice.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from typing import Any

import structlog

from cloud_control.domain.fleet import agent_key
from cloud_control.lambdas.plane import Parts, parts
from fleet_contract.codec import decode
from fleet_contract.errors import ContractError
from fleet_contract.telemetry import Telemetry
from fleet_contract.topics import Address, Kind, parse_topic

DISCONNECTED = "disconnected"

log = structlog.get_logger()


def handler(event: dict[str, Any], _context: Any) -> None:
    """event: payload (base64) and topic of a message, or a lifecycle event of a client."""
    found = parts()
    if "topic" in event:
        _message(found, str(event["topic"]), str(event.get("payload") or ""))
    elif event.get("eventType") == DISCONNECTED:
        fleet, _, agent = str(event.get("clientId", "")).partition(".")
        if fleet == found.plane.fleet and agent:
            found.plane.live.lost(fleet, agent, int(event.get("timestamp", 0)))
            _show(found, Address(Kind.STATUS, fleet, agent))


def _message(found: Parts, topic: str, encoded: str) -> None:
    try:
        address = parse_topic(topic)
        payload = base64.b64decode(encoded, validate=True)
    except (ContractError, ValueError):
        log.warning("a message that is none of the contract's", topic=topic[:100])
        return
    if address.fleet != found.plane.fleet or address.channel.sender != "device":
        return
    if address.kind is Kind.TELEMETRY:
        _measure(address, payload)
    found.plane.live.take(address, payload)
    _show(found, address)


def _show(found: Parts, address: Address) -> None:
    """In the directory; also what was no news, since an invocation before may have broken off."""
    if address.kind is Kind.STREAM_STATE:
        found.directory.look(address.name)
    elif address.kind is Kind.STATUS:
        held = found.plane.documents.agents.get(agent_key(address.fleet, address.agent))
        for stream in held.value.streams if held else ():
            found.directory.look(stream)


def _measure(address: Address, payload: bytes) -> None:
    """Frames that left unverified, for an alarm, in CloudWatch's embedded format."""
    try:
        message = decode(address, payload).message
    except ContractError:
        return
    if not isinstance(message, Telemetry):
        return
    metric = {
        "Namespace": "Veilcast",
        "Dimensions": [["fleet"]],
        "Metrics": [{"Name": "UnverifiedFrames", "Unit": "Count"}],
    }
    line = {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [metric]},
        "fleet": address.fleet,
        "UnverifiedFrames": sum(one.unverified_frames_sent for one in message.streams),
    }
    sys.stdout.write(json.dumps(line) + "\n")
