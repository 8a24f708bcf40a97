"""News for whoever listens: numbered, kept for a while, so that a listener can catch up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """data: plain values, fit for JSON, without secrets."""

    number: int
    kind: str
    data: dict[str, Any]


class Events:
    """A log in memory. Callable from any thread; wakers are called from the one that publishes."""

    def __init__(self, first: int) -> None:
        """first: the number of the first event; the clock, so that numbers of an earlier process
        are lower."""
        self._next = first
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self._wakers: set[Callable[[], object]] = set()

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        with self._lock:
            self._kept.append(Event(self._next, kind, data))
            self._next += 1
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    def after(self, number: int) -> tuple[list[Event], bool]:
        """The events that came after that number, and whether none in between is missing."""
        with self._lock:
            found = [event for event in self._kept if event.number > number]
            first = self._kept[0].number if self._kept else self._next
        return found, number >= first - 1

    @property
    def newest(self) -> int:
        with self._lock:
            return self._next - 1

    def listen(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Call `wake` after each event, until what is returned is called."""
        with self._lock:
            self._wakers.add(wake)

        def forget() -> None:
            with self._lock:
                self._wakers.discard(wake)

        return forget
