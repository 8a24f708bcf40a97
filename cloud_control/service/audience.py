"""How many watch each stream, without knowing who."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import defaultdict

from cloud_control.ports import Clock

WINDOW_MS = 15_000
MOST = 20_000  # counted of one stream: more are not told apart from that many


class Audience:
    """Counts players by their requests of the last 15 s. What tells them apart is kept as a digest
    under a secret of this process, and no longer than that. Callable from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._seen: dict[str, dict[bytes, int]] = defaultdict(dict)
        self._lock = threading.Lock()

    def seen(self, stream: str, *player: str) -> None:
        """A player asked for the stream's playlist. player: what tells it from others."""
        text = "\0".join(player).encode("utf-8", "replace")
        digest = hashlib.blake2b(text, digest_size=12, key=self._secret).digest()
        with self._lock:
            players = self._seen[stream]
            if digest in players or len(players) < MOST:
                players[digest] = self._clock()

    def count(self, stream: str) -> int:
        with self._lock:
            players = self._seen.get(stream, {})
            limit = self._clock() - WINDOW_MS
            for digest in [one for one, at in players.items() if at < limit]:
                del players[digest]
            if not players:
                self._seen.pop(stream, None)
            return len(players)

    def forget(self, stream: str) -> None:
        with self._lock:
            self._seen.pop(stream, None)
