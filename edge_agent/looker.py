"""One detector in one thread, replaced when it hangs. It is asked for looks and delivers them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

import structlog

from edge_agent.boxes import Detections
from edge_agent.detect.detector import Detector, Region
from edge_agent.errors import VeilcastError
from edge_agent.frame import Frame

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A frame to look at: the whole of it, or a region at native resolution."""

    frame: Frame
    region: Region | None = None
    input_scale: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The answer to a request. `found` is None when the look failed, and `error` says why.

    seconds: by the clock; cpu_seconds: of this thread. They differ when the CPU is short.
    """

    request: Request
    found: Detections | None
    error: str
    seconds: float
    cpu_seconds: float


class Looker:
    """Hands requests to a detector in a thread of its own and gives each answer to `deliver`.

    Every request gets exactly one answer. A look that takes longer than `hang_seconds` is given
    up: its thread is abandoned, its answer, should it ever come, is ignored, and a new detector
    takes over. `deliver` is called from the detector's thread, or from the one that calls `check`.
    """

    def __init__(
        self,
        build: Callable[[], Detector],
        deliver: Callable[[Look], None],
        *,
        hang_seconds: float = 2.0,
    ) -> None:
        self._build = build
        self._deliver = deliver
        self._hang_ns = int(hang_seconds * 1e9)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.restarts = 0
        self._start()

    def _start(self) -> None:
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        self._pending: list[Request] = []
        self._busy_since_ns = 0
        self._generation = threading.Thread(
            target=self._work, args=(self._requests,), name="looker", daemon=True
        )
        self._generation.start()

    def ask(self, request: Request) -> None:
        with self._lock:
            if not self._pending:
                self._busy_since_ns = time.monotonic_ns()
            self._pending.append(request)
            self._requests.put(request)

    def use(self, build: Callable[[], Detector]) -> None:
        """Answer with another detector from the next look on. `build` ought to return one that is
        warm the first time it is called: that is when the next look is due."""
        self._build = build

    def check(self) -> None:
        """Give up on a detector that hangs: its requests fail and a new one is started."""
        with self._lock:
            hung = self._pending and time.monotonic_ns() - self._busy_since_ns > self._hang_ns
            if not hung:
                return
            lost = self._pending
            self._requests.put(None)
            self.restarts += 1
            self._start()
        log.error("detector_hangs", action="started a new one", looks_lost=len(lost))
        for request in lost:
            self._deliver(Look(request, None, "the detector hangs", self._hang_ns / 1e9, 0.0))

    def close(self, *, wait: bool = True) -> None:
        """Stop after the look that is under way; what else was asked for stays unanswered.

        Waits for that look unless it hangs, or `wait` is False: a thread inside the model when the
        interpreter ends would take the whole process down.
        """
        self._closed.set()
        self._requests.put(None)
        if wait:
            self._generation.join(self._hang_ns / 1e9)

    def _work(self, requests: SimpleQueue[Request | None]) -> None:
        detector: Detector | None = None
        made_by = self._build
        while (request := requests.get()) is not None and not self._closed.is_set():
            started, cpu = time.monotonic(), time.thread_time()
            found, error = None, ""
            try:
                build = self._build
                if detector is not None and made_by is not build:
                    detector.close()
                    detector = None
                if detector is None:
                    detector, made_by = build(), build
                found = detector.look(
                    request.frame, request.region, input_scale=request.input_scale
                )
            except VeilcastError as problem:
                error = str(problem)
            except Exception as problem:  # noqa: BLE001 - whatever it is, the look has failed
                error = f"{type(problem).__name__}: {problem}"
            if self._answered(request):
                took, cpu = time.monotonic() - started, time.thread_time() - cpu
                self._deliver(Look(request, found, error, took, cpu))

    def _answered(self, request: Request) -> bool:
        """Take a request off the list; False when it was given up in the meantime."""
        with self._lock:
            if threading.current_thread() is not self._generation:
                return False
            self._pending.remove(request)
            self._busy_since_ns = time.monotonic_ns()
            return True
