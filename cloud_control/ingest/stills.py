"""A small picture of each live stream, made every few seconds of what its viewers are served."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from cloud_control.ingest import playlist
from cloud_control.ingest.remuxer import ENVIRONMENT

EVERY_S = 10.0
TICK_S = 1.0
PATIENCE_S = 5.0
LARGEST = 1 << 18
COMMAND = (sys.executable, "-m", "cloud_control.ingest.still")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Still:
    """jpeg: 320 pixels wide; version: changes with it. state: how the stream stood by then; at: by
    the monotonic clock, s."""

    jpeg: bytes
    version: str
    state: str | None
    at: float


class Stills:
    """Of the streams that `live` names, with their states. folder: holds their HLS.

    One at a time, in one process without secrets: what makes it crash or hang costs one picture.
    A stream that is held has none, and a change of its state has a new one made at once: what an
    operator hid must not stay in the directory.
    """

    def __init__(self, folder: Path, live: Callable[[], Mapping[str, str | None]]) -> None:
        self._folder, self._live = folder, live
        self._stills: dict[str, Still] = {}
        self._tried: dict[str, tuple[float, str | None]] = {}
        self._artist: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stills", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._dismiss()

    def of(self, stream: str) -> Still | None:
        """The stream's newest picture, if there is one. From any thread."""
        return self._stills.get(stream)

    def address(self, stream: str) -> str | None:
        """Where it is served, below the address of the control plane; another for each picture."""
        found = self._stills.get(stream)
        return f"/v1/directory/{stream}/thumbnail.jpg?v={found.version}" if found else None

    def tick(self, now: float) -> None:
        """Make what is due, and drop what is over. now: by the monotonic clock, s."""
        live = {name: state for name, state in self._live().items() if state != "HELD"}
        for gone in self._stills.keys() - live.keys():
            del self._stills[gone]
        self._tried = {name: tried for name, tried in self._tried.items() if name in live}
        for stream, state in live.items():
            tried_at, tried_in = self._tried.get(stream, (-EVERY_S, state))
            if now - tried_at < EVERY_S and state == tried_in:
                continue
            self._tried[stream] = now, state
            jpeg = self._draw(stream)
            if jpeg:
                version = hashlib.blake2b(jpeg, digest_size=8).hexdigest()
                self._stills[stream] = Still(jpeg, version, state, now)
            else:
                self._stills.pop(stream, None)

    def _run(self) -> None:
        while not self._closing.wait(TICK_S):
            try:
                self.tick(time.monotonic())
            except Exception as problem:  # noqa: BLE001 (the others still want their pictures)
                log.error("no thumbnails", error=type(problem).__name__)

    def _draw(self, stream: str) -> bytes:
        """Of the newest segment; empty if that cannot be done."""
        try:
            listed = playlist.read(self._folder / stream / playlist.NAME)
        except (OSError, ValueError):
            return b""
        if listed is None or not listed.segments:
            return b""
        path = self._folder / stream / listed.segments[-1].name
        try:
            return self._ask(f"{path}\n".encode())
        except (OSError, EOFError) as problem:
            log.warning("a thumbnail failed", stream=stream, error=type(problem).__name__)
            self._dismiss()
            return b""

    def _ask(self, line: bytes) -> bytes:
        """Raises OSError or EOFError if the process fails, TimeoutError if it hangs."""
        if self._artist is None:
            self._artist = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
        artist, deadline = self._artist, time.monotonic() + PATIENCE_S
        assert artist.stdin is not None
        assert artist.stdout is not None
        artist.stdin.write(line)
        size = int.from_bytes(_read(artist.stdout.fileno(), 4, deadline), "big")
        if size > LARGEST:
            raise OSError("too large for a thumbnail")
        return _read(artist.stdout.fileno(), size, deadline)

    def _dismiss(self) -> None:
        if self._artist is None:
            return
        self._artist.kill()
        self._artist.wait()
        for pipe in (self._artist.stdin, self._artist.stdout):
            if pipe is not None:
                pipe.close()
        self._artist = None


def _read(source: int, count: int, deadline: float) -> bytes:
    found = b""
    while len(found) < count:
        ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError("no picture came in time")
        piece = os.read(source, count - len(found))
        if not piece:
            raise EOFError("the process is gone")
        found += piece
    return found
