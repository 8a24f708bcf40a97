"""A source that runs by the clock: opened again when it is lost, and closed at once when told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, Full, Queue
from typing import Literal, Protocol

import structlog

from edge_agent.errors import SourceError
from edge_agent.media.audio import AudioPacket
from edge_agent.media.backoff import Backoff
from edge_agent.media.demux import Item
from edge_agent.media.events import Discontinuity, End
from edge_agent.media.info import SourceInfo

QUEUE_LENGTH = 8
POLL_S = 0.2
STEADY_S = 10.0
LATE_NS = 1_000_000_000

log = structlog.get_logger()

Again = Literal["never", "loop", "reconnect"]


class Opening(Protocol):
    """A source from where it was opened to where it ends or is lost."""

    @property
    def info(self) -> SourceInfo: ...

    def __iter__(self) -> Iterator[Item]: ...

    def close(self) -> None: ...


class Live:
    """Reads in a thread of its own what `open_once` opens.

    again: what to do at the end. paced: hand nothing over before its time, for what comes faster
    than it plays. `interrupt` makes a waiting `open_once` or read give up. `first` is an opening
    made already. Without a `backoff` it is opened again at once.
    """

    def __init__(
        self,
        open_once: Callable[[], Opening],
        *,
        again: Again,
        paced: bool,
        first: Opening | None = None,
        interrupt: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
    ) -> None:
        self._open_once = open_once
        self._again = again
        self._paced = paced
        self._interrupt = interrupt
        self._opening = first
        self._opened = threading.Event()
        self._closed = threading.Event()
        self._info = first.info if first else None
        if first:
            self._opened.set()
        self._queue: Queue[Item | SourceError] = Queue(QUEUE_LENGTH)
        self._damaged = 0
        self._backoff = backoff
        self._ahead_of: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._work, name="source", daemon=True)
        self._thread.start()

    @property
    def info(self) -> SourceInfo:
        """Waits until the source has been opened. Raises SourceError when it was closed instead."""
        self._opened.wait()
        if self._info is None:
            raise SourceError("the source was closed before anything came")
        return self._info

    def __iter__(self) -> Iterator[Item]:
        while not self._closed.is_set():
            try:
                item = self._queue.get(timeout=POLL_S)
            except Empty:
                continue
            if isinstance(item, SourceError):
                raise item
            yield item
            if isinstance(item, End):
                return
        yield End(self._damaged)

    def close(self) -> None:
        """End the iteration within a moment. From any thread, more than once."""
        self._closed.set()
        self._opened.set()
        self._interrupt()
        if self._opening is not None:
            self._opening.close()

    def _work(self) -> None:
        lost = False
        try:
            while not self._closed.is_set():
                began = time.monotonic()
                if self._open(quiet=lost):
                    if lost:
                        self._announce("found")
                    self._pass_on()
                    if self._again == "never":
                        break
                    self._announce("time" if self._again == "loop" else "lost")
                    lost = self._again == "reconnect"
                self._rest(steady=time.monotonic() - began > STEADY_S)
        except SourceError as error:
            self._put(error)
        self._opened.set()
        self._put(End(self._damaged))

    def _open(self, *, quiet: bool) -> bool:
        """Make sure that it is open; False when that failed and may work later."""
        if self._opening is not None:
            return True
        try:
            self._opening = self._open_once()
        except SourceError as error:
            if self._again != "reconnect":
                raise
            if not quiet and not self._closed.is_set():
                log.warning("source not open", reason=str(error))
            return False
        if self._info is None:
            self._info = self._opening.info
            self._opened.set()
        return True

    def _rest(self, *, steady: bool) -> None:
        if self._backoff is not None:
            if steady:
                self._backoff.reset()
            self._closed.wait(self._backoff.next())

    def _pass_on(self) -> None:
        """Hand over what one opening gives, up to its end."""
        assert self._opening is not None
        assert self._info is not None
        sound = self._opening.info.audio
        deaf = sound is not None and not sound.matches(self._info.audio)
        if deaf:
            log.warning("sound left out", reason="it is coded differently since the reconnect")
        for item in self._opening:
            if isinstance(item, End):
                self._damaged += item.damaged
                break
            if deaf and isinstance(item, AudioPacket):
                continue
            if self._paced:
                self._wait_for(item)
            self._put(item)
            if self._closed.is_set():
                self._opening.close()
        self._opening = None

    def _put(self, item: Item | SourceError) -> None:
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=POLL_S)
            except Full:
                continue
            return

    def _announce(self, reason: Literal["time", "lost", "found"]) -> None:
        info = self._info
        self._put(Discontinuity(reason, info.width if info else 0, info.height if info else 0))

    def _wait_for(self, item: Item) -> None:
        """Sleep until the item's stream time has come on the wall clock."""
        if isinstance(item, Discontinuity | End):
            return
        now = time.monotonic_ns()
        stamp = item.time_ns
        if self._ahead_of is None or abs(stamp - self._due(now)) > 2 * LATE_NS:
            self._ahead_of = (stamp, now)
        self._closed.wait(max(0, stamp - self._due(now)) / 1e9)

    def _due(self, now: int) -> int:
        """The stream time that ought to be showing now."""
        assert self._ahead_of is not None
        stamp, then = self._ahead_of
        return stamp + now - then
