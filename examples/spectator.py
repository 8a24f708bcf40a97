"""A viewer who fetches what the platform serves, and looks for what must not be seen in it."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import av
import httpx
import numpy as np

from examples import number
from examples.leaks import Luma, Secret

POLL_S = 0.5
NEAR = 12  # pictures by which a number may be off that is told from the time


@dataclass(slots=True)
class Seen:
    """pictures: looked at; unread: of them, those whose number was hidden, as in a veil; objects:
    object-frames that they would have shown bare; leaked: those that they did show."""

    pictures: int = 0
    unread: int = 0
    objects: int = 0
    leaked: int = 0


class Spectator:
    """Watches one stream from `start` to `close`. What leaks is kept in the folder as evidence."""

    def __init__(
        self, playlist: str, secrets: list[list[Secret]], fps: int, evidence: Path
    ) -> None:
        self.seen = Seen()
        self._playlist, self._secrets, self._fps = playlist, secrets, fps
        self._evidence = evidence
        self._known: set[str] = set()
        self._last: tuple[int, float] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spectator", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Look at what is left to look at, and stop."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=10.0) as http:
            closing = False
            while not closing:
                closing = self._closing.wait(POLL_S)
                self._fetch(http)

    def _fetch(self, http: httpx.Client) -> None:
        try:
            listed = http.get(self._playlist)
            if not listed.is_success:
                return
            for line in listed.text.splitlines():
                if line and not line.startswith("#") and line not in self._known:
                    segment = http.get(urljoin(self._playlist, line))
                    self._known.add(line)
                    if segment.is_success:
                        self._look(line, segment.content)
        except httpx.HTTPError:
            return  # the next look may find it

    def _look(self, name: str, segment: bytes) -> None:
        before = self.seen.leaked
        with av.open(io.BytesIO(segment), "r", format="mpegts") as source:
            try:
                for frame in source.decode(video=0):
                    luma = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
                    self._compare(luma, frame.time or 0.0)
            except av.error.InvalidDataError:
                pass  # a segment that broke off with its publisher
        if self.seen.leaked > before:
            self._evidence.mkdir(parents=True, exist_ok=True)
            (self._evidence / name).write_bytes(segment)

    def _compare(self, sent: Luma, at: float) -> None:
        index = number.read(sent)
        self.seen.pictures += 1
        if index is None or index >= len(self._secrets):
            self.seen.unread += 1
            self._compare_unread(sent, at)
            return
        self._last = index, at
        secrets = self._secrets[index]
        self.seen.objects += len(secrets)
        self.seen.leaked += sum(secret.shows(sent) for secret in secrets)

    def _compare_unread(self, sent: Luma, at: float) -> None:
        """With all that it may have shown."""
        count = len(self._secrets)
        candidates = range(count)
        if self._last is not None:
            index, then = self._last
            about = index + round((at - then) * self._fps)
            candidates = range(about - NEAR, about + NEAR + 1)
        possible = [self._secrets[place % count] for place in candidates]
        self.seen.objects += bool(possible[len(possible) // 2])
        self.seen.leaked += any(secret.shows(sent) for secrets in possible for secret in secrets)
