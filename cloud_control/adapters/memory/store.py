"""Documents in a dictionary; gone when the process ends."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

from cloud_control.adapters.commit import checked, not_empty
from cloud_control.errors import ConflictError
from cloud_control.ports import Delete, Put, Record


class MemoryStore:
    """See `Store`."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._lock = threading.Lock()

    def get(self, kind: str, key: str) -> Record | None:
        with self._lock:
            return self._records.get((kind, key))

    def list(
        self, kind: str, prefix: str = "", after: str = "", limit: int = 100
    ) -> Sequence[Record]:
        with self._lock:
            found = [
                record
                for (its_kind, key), record in self._records.items()
                if its_kind == kind and key.startswith(prefix) and key > after
            ]
        return sorted(found, key=lambda record: record.key)[:limit]

    def commit(self, changes: Sequence[Put | Delete]) -> None:
        with self._lock:
            for change in checked(changes):
                there = self._records.get((change.kind, change.key))
                if (there.revision if there else 0) != change.expected:
                    raise ConflictError(f"{change.kind} {change.key} was changed by somebody else")
            for change in changes:
                place = (change.kind, change.key)
                if isinstance(change, Delete):
                    del self._records[place]
                else:
                    self._records[place] = Record(*place, change.value, change.expected + 1)

    def every(self) -> Iterator[Record]:
        with self._lock:
            found = list(self._records.values())
        return iter([record for record in found if not record.kind.startswith("_")])

    def fill(self, records: Iterable[Record]) -> None:
        fresh = {(record.kind, record.key): record for record in records}
        with self._lock:
            if self._records:
                raise not_empty("this store")
            self._records = fresh
