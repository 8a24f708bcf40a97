"""What is due, once a minute: rollouts, leases, certificates, documents, signatures, leftovers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from cloud_control.errors import ControlError
from cloud_control.lambdas.plane import Parts, parts
from cloud_control.service.directory import REMEMBERED_MS

REFRESH_EVERY = timedelta(hours=12)
HEAL_EVERY = 10
"""Minutes between two looks at all streams, whatever was heard of them."""

log = structlog.get_logger()


def handler(_event: dict[str, Any], _context: Any) -> dict[str, list[str]]:
    """The names of what went wrong are returned; each is tried again in a minute."""
    found = parts()
    plane = found.plane
    works: dict[str, Callable[[], object]] = {
        "rollouts": plane.rollouts.tick,
        "leases": plane.streams.expire,
        "certificates": plane.enrolment.retire,
        "documents": lambda: plane.documents.catch_up(plane.fleet, everyone=False),
        "models": lambda: refresh(found),
        "channels": lambda: _sweep(found),
        "publishers": found.publishers.sweep,
        "directory": lambda: _tidy(found),
    }
    return {"failed": [name for name, work in works.items() if not _done(name, work)]}


def refresh(found: Parts) -> bool:
    """Whether the model repository's timestamp was renewed. Nothing happens without a repository
    or without the keys."""
    repository = found.models()
    if not found.settings.models_bucket or not repository.shelf.exists:
        return False
    state = repository.shelf.read()
    root = state.root.signed
    life = timedelta(days=root.unrecognized_fields["x-veilcast-days"]["timestamp"])
    if state.timestamp.signed.expires - datetime.now(UTC) > life - REFRESH_EVERY:
        return False
    signing = found.models(signing=True)
    if not signing.keys.held:
        return False
    signing.refresh()
    return True


def _sweep(found: Parts) -> None:
    if found.ivs is not None:
        fleet = found.plane.fleet
        known = {stream.id for stream in found.plane.documents.streams.every(f"{fleet}/")}
        found.ivs.sweep(known)


def _tidy(found: Parts) -> None:
    for stream in found.flows.forget(found.plane.clock() - REMEMBERED_MS):
        found.directory.look(stream)
    if found.plane.clock() // 60_000 % HEAL_EVERY == 0:
        found.directory.look_at_all()


def _done(name: str, work: Callable[[], object]) -> bool:
    try:
        work()
    except ControlError as problem:
        log.error("it was not done", what=name, why=str(problem))
        return False
    except Exception:
        log.exception("it was not done", what=name)
        return False
    return True
