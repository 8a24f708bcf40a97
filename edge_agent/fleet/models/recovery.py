"""What is true after a restart, whatever the last run was doing."""

from __future__ import annotations

import structlog

from edge_agent.fleet.models.record import ENDED, Record, RecordFile
from edge_agent.fleet.models.store import BUILT_IN, ModelStore

log = structlog.get_logger()


def recovered(file: RecordFile, store: ModelStore) -> Record:
    """The record, put right where a model was damaged, and stored.

    An update that was under way begins anew; what had been fetched is still there. If it was being
    tested or tried, that is counted: a model that takes the whole device down is given up.
    """
    record = file.read()
    attempt, current = record.attempt, record.current
    if attempt is not None and attempt.step in {"testing", "shadowing"}:
        attempt = attempt.model_copy(update={"interrupted": attempt.interrupted + 1})
    card = store.card(current)
    if attempt is not None and attempt.step not in ENDED and card and attempt.names(card):
        attempt = attempt.model_copy(update={"step": "done"})  # it was recorded, and is used now
    if not store.is_whole(current):
        log.error("model_damaged", key=current)
        current = record.last_good if store.is_whole(record.last_good) else BUILT_IN
        if attempt is not None and attempt.step == "done":
            attempt = attempt.model_copy(update={"step": "rolled_back", "reason": "damaged"})
    found = record.model_copy(update={"current": current, "attempt": attempt})
    if found != record:
        file.write(found)
    return found
