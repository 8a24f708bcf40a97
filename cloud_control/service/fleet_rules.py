"""What holds for all agents of a fleet: how it is changed."""

from __future__ import annotations

from cloud_control.ports import Store
from cloud_control.service.audit import Audit
from cloud_control.service.documents import Documents
from cloud_control.service.records import retried


def change_rules(
    store: Store,
    documents: Documents,
    audit: Audit,
    who: str,
    action: str,
    fleet: str,
    **changes: object,
) -> int:
    """Change fields of a fleet's rules and tell its agents; how many were told is returned."""

    def work() -> None:
        held = documents.rules(fleet)
        rules = held.value.model_copy(update={**changes, "changes": held.value.changes + 1})
        put = documents.fleets.put(fleet, rules, held.revision)
        store.commit([put, audit.entry(who, action, fleet, held.value, rules)])

    retried(work)
    return documents.publish_all(fleet)
