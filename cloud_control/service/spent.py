"""Tokens that are good for one request: which were used already."""

from __future__ import annotations

import hashlib
import threading
from typing import Protocol

from cloud_control.errors import ConflictError
from cloud_control.ports import Clock, Put, Store

KIND = "_spent"


class Spent(Protocol):
    """Callable from any thread."""

    def spend(self, token_id: str, until_ms: int) -> bool:
        """False if it was spent before. until_ms: when it expires, and need not be known longer."""


class MemorySpent:
    """For one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()

    def spend(self, token_id: str, until_ms: int) -> bool:
        with self._lock:
            now_ms = self._clock()
            self._seen = {one: end for one, end in self._seen.items() if end > now_ms}
            if token_id in self._seen:
                return False
            self._seen[token_id] = until_ms
            return True


class StoredSpent:
    """For several processes. The store forgets by itself, see its `lives`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def spend(self, token_id: str, until_ms: int) -> bool:
        key = hashlib.sha256(token_id.encode()).hexdigest()
        try:
            self._store.commit([Put(KIND, key, str(until_ms), 0)])
        except ConflictError:
            return False
        return True
