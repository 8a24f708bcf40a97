"""How often the agents of a fleet send their figures."""

from __future__ import annotations

from cloud_control.ports import Store
from cloud_control.service.audit import Audit
from cloud_control.service.documents import Documents
from cloud_control.service.fleet_rules import change_rules


class Reporting:
    """What comes at once anyway, states and reports, does not depend on it."""

    def __init__(self, store: Store, documents: Documents, audit: Audit) -> None:
        self._store, self._documents, self._audit = store, documents, audit

    def seconds(self, fleet: str) -> int:
        return self._documents.rules(fleet).value.telemetry_seconds

    def set(self, who: str, fleet: str, seconds: int) -> int:
        """seconds: 1 to 3600. How many agents were told is returned."""
        place = (self._store, self._documents, self._audit)
        return change_rules(*place, who, "fleet.telemetry", fleet, telemetry_seconds=seconds)
