"""Which orders are settled."""

from __future__ import annotations

import threading


class Progress:
    """Orders in force or refused, by number. Callable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = 0
        self._open: set[int] = set()
        self._refused: dict[int, str] = {}

    def took(self, number: int) -> None:
        with self._lock:
            self._newest = max(self._newest, number)
            self._open.add(number)

    def done(self, number: int) -> None:
        """It is in force."""
        with self._lock:
            self._open.discard(number)

    def refuse(self, number: int, reason: str) -> None:
        """It never will be."""
        with self._lock:
            self._refused[number] = reason
            self._open.discard(number)

    @property
    def settled(self) -> int:
        """The number up to which all orders are in force or refused."""
        with self._lock:
            return min(self._open) - 1 if self._open else self._newest

    @property
    def refused(self) -> dict[int, str]:
        """Why, by number."""
        with self._lock:
            return dict(self._refused)
