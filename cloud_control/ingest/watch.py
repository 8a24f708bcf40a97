"""Watches the playlists that an ingest writes: whether segments come, and when a stream is over."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Literal

import structlog

from cloud_control.ingest import playlist
from cloud_control.ingest.port import Event, Kind, OnEvent, Options
from cloud_control.ingest.publishers import Publishers

TICK_S = 0.25
STALE_AFTER = 3
"""A stream is stalled when its newest segment is older than this many target durations."""
FIRST_SEGMENT_S = 15.0
KEPT_S = 60.0
"""For so long segments stay after they left the list, and all after the end."""
SWEEP_S = 10.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Stream:
    since: float
    live: bool
    flow: Literal["waiting", "flowing", "stalled"] = "waiting"
    ended: float | None = None


class Watch:
    """Adds what it sees to what `publishers` tell, and hands all of it to `on_event`.

    Playlists lie in a folder for each stream; what lies there at the start is taken for a stream
    whose publisher has just left.
    """

    def __init__(self, options: Options, publishers: Publishers, on_event: OnEvent) -> None:
        self._options, self._publishers, self._on_event = options, publishers, on_event
        self._streams: dict[str, _Stream] = {}
        self._ending: set[str] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._swept = 0.0
        self._silent: frozenset[str] = frozenset()
        self._thread = threading.Thread(target=self._run, name="ingest watch", daemon=True)

    def start(self) -> None:
        self._options.hls.mkdir(parents=True, exist_ok=True)
        now = time.time()
        for folder in self._options.hls.iterdir():
            if folder.is_dir():
                self._streams[folder.name] = _Stream(now, live=False)
        self._thread.start()

    def close(self) -> None:
        """Hand on what has been told so far, and stop."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def end(self, stream: str) -> None:
        """Do not wait for the publisher's return: over as soon as there is none."""
        with self._lock:
            known = self._streams.get(stream)
            waits = known is not None and known.ended is None
            if waits or stream in self._publishers.publishing():
                self._ending.add(stream)

    def tick(self, now: float) -> list[Event]:
        """What has happened since the last call. now: s since the epoch."""
        self._publishers.expire()
        self._silent = self._publishers.silent(self._options.silent_s)
        with self._lock:
            events = list(self._told())
            for name, stream in list(self._streams.items()):
                try:
                    kind = self._look(name, stream, now)
                except (OSError, ValueError) as error:
                    log.warning("a playlist is not usable", stream=name, reason=str(error))
                    continue
                if kind is not None:
                    events.append(Event(kind, name, now))
            if now - self._swept > SWEEP_S:
                self._swept = now
                self._sweep(now)
        return events

    def _run(self) -> None:
        while True:
            closing = self._closing.wait(TICK_S)
            for event in self.tick(time.time()):
                self._hand_on(event)
            if closing:
                return

    def _hand_on(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 (streams still have to be watched and ended)
            what = {"kind": event.kind, "stream": event.stream, "error": type(error).__name__}
            log.error("nobody took note of what happened to a stream", **what)

    def _told(self) -> Iterator[Event]:
        while True:
            try:
                event = self._publishers.events.get_nowait()
            except Empty:
                return
            if event.kind is Kind.PUBLISH:
                self._streams[event.stream] = _Stream(event.at, live=True)
            else:
                stream = self._streams.setdefault(event.stream, _Stream(event.at, live=False))
                stream.live, stream.since = False, event.at
            yield event

    def _look(self, name: str, stream: _Stream, now: float) -> Kind | None:
        path = self._options.hls / name / playlist.NAME
        if stream.live:
            silent = name in self._silent
            return self._flow(path, stream, now, silent) if self._options.playlists else None
        if stream.ended is None:
            if name not in self._ending and now - stream.since < self._options.linger_s:
                return None
            stream.ended = now
            self._ending.discard(name)
            playlist.end(path)
            return Kind.ENDED
        if now - stream.ended > KEPT_S:
            shutil.rmtree(path.parent, ignore_errors=True)
            del self._streams[name]
        return None

    def _flow(self, path: Path, stream: _Stream, now: float, silent: bool) -> Kind | None:
        newest = _modified(path)
        if newest is None or newest < stream.since:  # nothing yet since the publisher came
            late = now - stream.since > FIRST_SEGMENT_S
        else:
            known = playlist.read(path)
            late = silent or known is None or now - newest > STALE_AFTER * known.target
            if not late and stream.flow != "flowing":
                stream.flow = "flowing"
                return Kind.PLAYABLE
        if late and stream.flow != "stalled":
            stream.flow = "stalled"
            return Kind.STALL
        return None

    def _sweep(self, now: float) -> None:
        """Remove segments that nobody reads any more."""
        for name in self._streams:
            folder = self._options.hls / name
            try:
                known = playlist.read(folder / playlist.NAME)
            except (OSError, ValueError):
                continue  # `_look` tells of it
            listed = {segment.name for segment in known.segments} if known else set()
            for path in folder.glob("*.ts"):
                if path.name not in listed and now - (_modified(path) or now) > KEPT_S:
                    path.unlink(missing_ok=True)


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
