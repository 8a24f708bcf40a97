"""What the fleet is told of the streams. It claims no more than the workers know."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from edge_agent.fleet.in_force import InForce
from edge_agent.fleet.protection import Consent
from edge_agent.fleet.streams import Running, Streams
from edge_agent.fleet.vouch import Vouchers
from edge_agent.worker.report import CountsReport, WorkerReport
from fleet_contract.reported import HeldBack, ReportedStream
from fleet_contract.stream_state import Loosened, SinkState, StreamState
from fleet_contract.strict_json import MAX_INTEGER
from fleet_contract.telemetry import Objects, StreamCounts

MAX_NUMBERS = 256
CAMERA_MAY_COME = {"waiting", "running"}
STARTING = WorkerReport(run="starting", state="HELD", reason="starting")
STOPPED = WorkerReport(run="stopped", state="HELD", reason="stopped")

_RATES = {"fps", "looks_per_second"}
_SECONDS = {"look_seconds", "decision_age"}


def token(text: str | None) -> str | None:
    """A reason in the fleet's alphabet, whatever a worker wrote."""
    if not text:
        return None
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48].rstrip("_")
    return plain if plain[:1].isalpha() else "other"


def held_back(in_force: InForce) -> tuple[HeldBack, ...]:
    """Every loosening that waits for consent."""
    return tuple(
        HeldBack(stream=stream, path=path)
        for stream, standing in in_force.standings.items()
        for path in standing.held_back
    )


def converged(in_force: InForce, streams: Streams, stream: str) -> ReportedStream:
    """Whether one stream is exactly as the document wants it, and if not, what is missing."""
    reason = _missing(in_force, streams, stream)
    return ReportedStream(id=stream, converged=reason is None, reason=reason)


def stream_state(
    in_force: InForce,
    streams: Streams,
    stream: str,
    vouchers: Vouchers,
    *,
    at: int,
    connection: int,
) -> StreamState:
    """How one listed stream stands."""
    known = in_force.known[stream]
    report = STOPPED if streams.at_rest(stream) else streams.shown(stream) or STARTING
    missing = streams.missing(stream)
    if missing and streams.at_rest(stream):
        report = report.model_copy(update={"run": "waiting", "state": "HELD", "reason": missing})
    runs = report.run == "running"
    state = report.state if runs else "HELD"
    consents = in_force.standings[stream].consents
    return StreamState(
        at=at,
        connection=connection,
        run=report.run,
        state=state,
        reason=None if state == "PROTECTED" else token(report.reason),
        desired_version=in_force.version,
        veiled=report.veiled and state in {"DEGRADED", "HELD"} if runs else known.veiled,
        loosened=_loosened(consents, streams.running.get(stream), bare=state == "OFF"),
        fps=_between(report.counts.fps, 0.0, 1000.0) if runs else 0.0,
        delay=_between(report.delay, 0.0, 1e9) if runs else 0.0,
        source_connected=report.source_connected,
        camera=vouchers.of(stream, report.camera if report.run in CAMERA_MAY_COME else ""),
        sinks=tuple(
            SinkState(connected=sink.connected, reconnects=_count(sink.reconnects))
            for sink in report.sinks[:8]
        ),
    )


def stream_counts(stream: str, report: WorkerReport, restarts: int) -> StreamCounts:
    """A worker's totals and rates, kept within what the fleet's messages allow."""
    counts = report.counts
    return StreamCounts(
        id=stream,
        objects=Objects(
            **{label: _count(counts.objects.get(label, 0)) for label in Objects.model_fields}
        ),
        **_rates(counts),
        **(_totals(counts) | {"worker_restarts": _count(restarts)}),
    )


def snapshot(streams: Iterable[StreamCounts], others: Mapping[str, float]) -> dict[str, float]:
    """All metrics by name, as far as one answer holds them: of each stream the same."""
    all_counts = list(streams)
    numbers = dict(others)
    fields = [name for name in StreamCounts.model_fields if name not in {"id", "objects"}]
    fields.sort(key=lambda name: name != "unverified_frames_sent")
    room = (MAX_NUMBERS - len(numbers)) // max(1, len(all_counts))
    for counts in all_counts:
        values: dict[str, float] = {name: getattr(counts, name) for name in fields}
        values |= {f"objects.{label}": number for label, number in counts.objects}
        short = list(values.items())[:room]
        numbers |= {f"{counts.id}.{name}"[:96]: float(value) for name, value in short}
    return numbers


def _missing(in_force: InForce, streams: Streams, stream: str) -> str | None:
    if in_force.standings[stream].held_back:
        return "needs_consent"
    if not in_force.known[stream].running:
        return None if streams.at_rest(stream) else "stopping"
    return streams.missing(stream) or _behind(streams, stream)


def _behind(streams: Streams, stream: str) -> str | None:
    """What a stream with a worker has not reached yet."""
    running = streams.running.get(stream)
    report = (running.report if running else None) or STARTING
    if report.run == "waiting":
        return "waiting_for_source"
    if report.run != "running":
        return token(report.reason) or report.run
    return token(streams.refused(stream)) or (None if streams.settled(stream) else "applying")


def _loosened(
    consents: tuple[Consent, ...], running: Running | None, *, bare: bool
) -> tuple[Loosened, ...]:
    """The consents; a picture still shown bare keeps the one that has just ended in view."""
    found = {consent.path: consent.expires_at for consent in consents}
    if bare and "mosaic" not in found:
        until = running.job.protection.bare_until_ms if running else None
        found["mosaic"] = until or 0
    return tuple(Loosened(path=path, expires_at=end) for path, end in found.items())


def _rates(counts: CountsReport) -> dict[str, Any]:
    return {
        **{name: _between(getattr(counts, name), 0.0, 1000.0) for name in _RATES},
        **{name: _between(getattr(counts, name), 0.0, 1e9) for name in _SECONDS},
        "av_offset": _between(counts.av_offset, -3600.0, 3600.0),
    }


def _totals(counts: CountsReport) -> dict[str, Any]:
    names = StreamCounts.model_fields.keys() & CountsReport.model_fields.keys()
    rest = names - _RATES - _SECONDS - {"av_offset", "objects"}
    return {name: _count(getattr(counts, name)) for name in rest}


def _between(value: float, low: float, high: float) -> float:
    return low if math.isnan(value) else min(max(value, low), high)


def _count(value: int) -> int:
    return min(max(value, 0), MAX_INTEGER)
