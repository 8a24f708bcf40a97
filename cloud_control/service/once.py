"""Repetitions of a request that was carried out already get its first answer."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from cloud_control.domain.fleet import Kept
from cloud_control.errors import ConflictError, RequestError
from cloud_control.ports import Clock, Store
from cloud_control.service.records import Shelf
from fleet_contract.fields import Millis

KEPT_MS = 24 * 3600 * 1000
MOST = 10_000
KIND = "_once"
LONGEST_MS = 60_000
"""What took longer was interrupted."""


class OtherRequestError(RequestError):
    """The key was used for another request."""

    status = 422

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key was used for another request")


class Once(Protocol):
    """Callable from any thread."""

    def do(self, key: str | None, body: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `work` answers, or answered under this key within a day. Raises OtherRequestError,
        and ConflictError while the first is still under way elsewhere."""


class MemoryOnce:
    """In this process: after a restart a name that is taken still keeps a repetition from being
    carried out, for requests that name what they make."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def do(self, key: str | None, body: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if key is None:
            return work()
        digest = hashlib.sha256(body.encode()).hexdigest()
        with self._lock:  # a repetition waits for the first
            self._forget_old()
            known = self._answers.get(key)
            if known is None:
                answer = work()
                self._answers[key] = (digest, self._clock(), answer)
                return answer
        if known[0] != digest:
            raise OtherRequestError
        return known[2]

    def _forget_old(self) -> None:
        oldest = self._clock() - KEPT_MS
        if len(self._answers) >= MOST:
            self._answers = dict(list(self._answers.items())[MOST // 2 :])
        self._answers = {key: one for key, one in self._answers.items() if one[1] > oldest}


class _Done(Kept):
    """answer: JSON; empty while it is under way, which began then."""

    digest: str
    began_at: Millis
    answer: str = ""


class StoredOnce:
    """For several processes. The store forgets by itself, see its `lives`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = Shelf(store, KIND, _Done)

    def do(self, key: str | None, body: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if key is None:
            return work()
        place, now_ms = hashlib.sha256(key.encode()).hexdigest(), time.time_ns() // 1_000_000
        mine = _Done(digest=hashlib.sha256(body.encode()).hexdigest(), began_at=now_ms)
        held = self._shelf.get(place)
        if held is not None and (held.value.answer or now_ms - held.value.began_at < LONGEST_MS):
            return _known(held.value, mine)
        revision = held.revision if held else 0
        self._store.commit([self._shelf.put(place, mine, revision)])
        try:
            answer = work()
        except BaseException:
            self._store.commit([self._shelf.delete(place, revision + 1)])
            raise
        done = mine.model_copy(update={"answer": json.dumps(answer)})
        self._store.commit([self._shelf.put(place, done, revision + 1)])
        return answer


def _known(done: _Done, mine: _Done) -> dict[str, Any]:
    if done.digest != mine.digest:
        raise OtherRequestError
    if not done.answer:
        raise ConflictError("this request is being carried out; ask again in a moment")
    return dict(json.loads(done.answer))
