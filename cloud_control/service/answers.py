"""What became of commands: the newest answer to each, for some minutes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from cloud_control.domain.fleet import Kept
from cloud_control.ports import Clock, Store
from cloud_control.service.records import Shelf, retried
from fleet_contract.ack import Ack

FINAL = frozenset({"done", "failed", "dropped"})
KEPT_MS = 20 * 60 * 1000
KIND = "_answer"
LOOK_AGAIN_S = 0.3


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that was given to an agent."""

    fleet: str
    agent: str
    id: str


class Answers(Protocol):
    """Callable from any thread."""

    def expect(self, asked: Asked) -> None:
        """An answer may come from now on; others are not kept."""

    def take(self, asked: Asked, ack: Ack) -> bool:
        """Whether it is news: nothing comes after a final answer."""

    def newest(self, asked: Asked, seconds: float) -> Ack | None:
        """The newest answer; waits so long for a final one."""


class MemoryAnswers:
    """For one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[Asked, Ack | None] = {}
        self._issued: dict[Asked, int] = {}
        self._changed = threading.Condition()

    def expect(self, asked: Asked) -> None:
        with self._changed:
            now_ms = self._clock()
            for old in [one for one, at in self._issued.items() if now_ms - at > KEPT_MS]:
                del self._issued[old]
                self._answers.pop(old, None)
            self._answers[asked], self._issued[asked] = None, now_ms

    def take(self, asked: Asked, ack: Ack) -> bool:
        with self._changed:
            before = self._answers.get(asked)
            if asked not in self._issued or _final(before):
                return False
            self._answers[asked] = ack
            self._changed.notify_all()
            return True

    def newest(self, asked: Asked, seconds: float) -> Ack | None:
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                ack = self._answers.get(asked)
                left = until - time.monotonic()
                if left <= 0 or _final(ack):
                    return ack
                self._changed.wait(left)


class _Answer(Kept):
    ack: Ack | None = None


class StoredAnswers:
    """For processes of which one asks and another hears the answer. longest_s: how long a caller
    may wait. The store forgets by itself, see its `lives`."""

    def __init__(self, store: Store, longest_s: float = 20.0) -> None:
        self._store, self._longest_s = store, longest_s
        self._shelf = Shelf(store, KIND, _Answer)

    def expect(self, asked: Asked) -> None:
        self._store.commit([self._shelf.put(_key(asked), _Answer())])

    def take(self, asked: Asked, ack: Ack) -> bool:
        def work() -> bool:
            held = self._shelf.get(_key(asked))
            if held is None or _final(held.value.ack):
                return False
            self._store.commit([self._shelf.put(held.key, _Answer(ack=ack), held.revision)])
            return True

        return retried(work)

    def newest(self, asked: Asked, seconds: float) -> Ack | None:
        until = time.monotonic() + min(seconds, self._longest_s)
        while True:
            held = self._shelf.get(_key(asked))
            ack = held.value.ack if held else None
            if held is None or _final(ack) or time.monotonic() >= until:
                return ack
            time.sleep(LOOK_AGAIN_S)


def _final(ack: Ack | None) -> bool:
    return ack is not None and ack.outcome in FINAL


def _key(asked: Asked) -> str:
    return f"{asked.fleet}/{asked.agent}/{asked.id}"
