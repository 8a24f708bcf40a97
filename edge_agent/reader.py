"""The source's thread: hands what it reads to the pipeline's inbox, within a fixed allowance."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.frame import Frame
from edge_agent.media.audio import AudioPacket
from edge_agent.media.events import Discontinuity, End
from edge_agent.media.source import Source

SourceItem = Frame | AudioPacket | Discontinuity


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes; `error` says why when that was not meant to be."""

    error: Exception | None


class Reader:
    """Reads a source in its own thread and calls `deliver` with each item, then with an `Ended`.

    At most `allowance` frames are out at a time: the pipeline gives one back with `done` when it
    has left. Out of allowance, a file waits and a live source loses the frame, which is counted.
    """

    def __init__(
        self,
        source: Source,
        deliver: Callable[[SourceItem | Ended], None],
        *,
        allowance: int,
        live: bool,
    ) -> None:
        self._source = source
        self._deliver = deliver
        self._live = live
        self._free = threading.Semaphore(allowance)
        self._closed = threading.Event()
        self.allowance = allowance
        self.dropped = 0
        self.damaged = 0
        self._thread = threading.Thread(target=self._work, name="reader", daemon=True)
        self._thread.start()

    def done(self) -> None:
        """A frame has left: the source may hand over another one."""
        self._free.release()

    def allow(self, allowance: int) -> None:
        """Let at least so many frames be out from now on."""
        for _ in range(allowance - self.allowance):
            self._free.release()
        self.allowance = max(self.allowance, allowance)

    def close(self) -> None:
        """Stop reading. Safe to call from any thread, and more than once."""
        self._closed.set()
        self._free.release()
        self._source.close()

    def _work(self) -> None:
        error: Exception | None = None
        try:
            for item in self._source:
                if isinstance(item, End):
                    self.damaged = item.damaged
                    break
                if isinstance(item, Frame) and not self._free.acquire(blocking=not self._live):
                    self.dropped += 1
                    continue
                if self._closed.is_set():
                    break
                self._deliver(item)
        except Exception as problem:  # noqa: BLE001 - raised again by the pipeline
            error = problem
        self._deliver(Ended(None if self._closed.is_set() else error))
