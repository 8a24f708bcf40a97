"""Repetitions of a request that was carried out already get its first answer."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any

from cloud_control.api.body import InvalidError
from cloud_control.ports import Clock

KEPT_MS = 24 * 3600 * 1000
MOST = 10_000


class Once:
    """Remembers answers for a day, in this process: after a restart a name that is taken still
    keeps a repetition from being carried out, for requests that name what they make."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def do(self, key: str | None, body: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `work` answers, or answered under this key. Raises InvalidError when the key was
        used for another request."""
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
            raise InvalidError("this Idempotency-Key was used for another request")
        return known[2]

    def _forget_old(self) -> None:
        oldest = self._clock() - KEPT_MS
        if len(self._answers) >= MOST:
            self._answers = dict(list(self._answers.items())[MOST // 2 :])
        self._answers = {key: one for key, one in self._answers.items() if one[1] > oldest}
