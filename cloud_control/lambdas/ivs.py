"""What Amazon IVS tells of its channels, by EventBridge: best effort, late or twice at times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud_control.adapters.aws.ivs import channel_name
from cloud_control.ingest.port import Event, Kind
from cloud_control.lambdas.plane import parts

CHANGE = "IVS Stream State Change"
KINDS = {
    "Stream Start": (Kind.PUBLISH, Kind.PLAYABLE),
    "Stream End": (Kind.ENDED,),
    "Stream Failure": (Kind.ENDED,),
}


def handler(event: dict[str, Any], _context: Any) -> None:
    found = parts()
    detail = event.get("detail") or {}
    prefix = channel_name(found.plane.fleet, "")
    name = str(detail.get("channel_name", ""))
    if event.get("detail-type") != CHANGE or not name.startswith(prefix):
        return
    at = datetime.fromisoformat(str(event["time"])).timestamp()
    for kind in KINDS.get(str(detail.get("event_name")), ()):
        found.tell(Event(kind, name.removeprefix(prefix), at))
