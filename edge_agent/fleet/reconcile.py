"""From what is in force to what the workers must do. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.fleet.device_settings import DeviceSettings
from edge_agent.fleet.in_force import InForce
from edge_agent.worker.job import Job, Protection
from fleet_contract.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Rest:
    """The stream does not run: because it shall not (None), or because something is missing."""

    missing: str | None = None


Plan = Mapping[str, Job | Rest]


@dataclass(frozen=True, slots=True)
class Begin:
    """Run this job, from nothing or in place of another."""

    job: Job


@dataclass(frozen=True, slots=True)
class Finish:
    """End the stream."""


@dataclass(frozen=True, slots=True)
class Change:
    """Go on with what differs. None: as before."""

    protection: Protection | None
    veiled: bool | None
    card: str | None


def plan(in_force: InForce, device: DeviceSettings, card: Path | None) -> dict[str, Job | Rest]:
    """What each listed stream shall do. `card`: the running model's, None if none works."""
    return {
        stream.id: _job(in_force, stream.id, stream.source, stream.sinks, device, card)
        for stream in in_force.wanted
    }


def step(before: Job | None, after: Job | Rest | None) -> Begin | Change | Finish | None:
    """What leads from the job that a worker has to what it shall have; None: nothing to do."""
    if not isinstance(after, Job):
        return Finish() if before else None
    if before is None:
        return Begin(after)
    if before == after:
        return None
    alike = before.model_copy(
        update={"protection": after.protection, "veiled": after.veiled, "card": after.card}
    )
    if alike != after:
        return Begin(after)
    return Change(
        after.protection if before.protection != after.protection else None,
        after.veiled if before.veiled != after.veiled else None,
        after.card if before.card != after.card else None,
    )


def _job(
    in_force: InForce,
    stream: str,
    source: Endpoint,
    sinks: tuple[Endpoint, ...],
    device: DeviceSettings,
    card: Path | None,
) -> Job | Rest:
    known = in_force.known[stream]
    if not known.running:
        return Rest()
    if card is None:
        return Rest("no_model")
    if source.ref is not None and source.ref not in device.sources:
        return Rest("unknown_source")
    if any(sink.ref is not None and sink.ref not in device.sinks for sink in sinks):
        return Rest("unknown_sink")
    named = device.sources[source.ref] if source.ref is not None else None
    return Job(
        source=named.address if named else _url(source),
        loop=named.loop if named else False,
        sinks=tuple(device.sinks[s.ref] if s.ref is not None else _url(s) for s in sinks),
        protection=in_force.standings[stream].for_worker(),
        veiled=known.veiled,
        card=str(card),
        encode=device.encode,
        camera=device.camera,
    )


def _url(endpoint: Endpoint) -> str:
    """The address with its key as the last segment."""
    assert endpoint.url is not None
    if endpoint.key is None:
        return endpoint.url
    return f"{endpoint.url.rstrip('/')}/{endpoint.key.get_secret_value()}"
