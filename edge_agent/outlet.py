"""Where protected frames go: a thread of its own, so that encoding never holds up the pipeline."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from edge_agent.media.audio import AudioPacket
from edge_agent.redact.protected import ProtectedFrame

LONGEST_QUEUE = 8


class Target(Protocol):
    """Anything that encodes and keeps or sends: a file writer, a broadcast to several sinks.

    `discard` may be called from another thread: what is queued to be sent is dropped.
    """

    def video(self, frame: ProtectedFrame) -> None: ...
    def audio(self, packet: AudioPacket) -> None: ...
    def discard(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Unsent:
    """The target of a preview: frames and sound end here."""

    states: tuple[()] = ()

    def video(self, frame: ProtectedFrame) -> None: ...
    def audio(self, packet: AudioPacket) -> None: ...
    def discard(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Outlet:
    """Feeds a target from a short queue of frames and sound, in order.

    When `LONGEST_QUEUE` frames wait, a file's caller waits too, and a live stream loses its oldest
    waiting frame, which is counted. An error of the target is kept, ends the work, and is raised
    in the caller's thread by the next call.
    """

    def __init__(self, target: Target, *, live: bool) -> None:
        self._target = target
        self._live = live
        self._waiting: deque[ProtectedFrame | AudioPacket] = deque()
        self._frames = 0
        self._closing = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self.dropped = 0
        self._thread = threading.Thread(target=self._work, name="outlet", daemon=True)
        self._thread.start()

    def video(self, frame: ProtectedFrame, *, patient: bool = False) -> None:
        """Queue a frame. `patient`: wait for room even if live, as when many leave at once."""
        with self._changed:
            self._raise()
            if self._live and not patient and self._frames >= LONGEST_QUEUE:
                self._drop_oldest()
            self._changed.wait_for(lambda: self._frames < LONGEST_QUEUE or self._error)
            self._frames += 1
            self._waiting.append(frame)
            self._changed.notify_all()

    def audio(self, packet: AudioPacket) -> None:
        with self._changed:
            self._raise()
            self._waiting.append(packet)
            self._changed.notify_all()

    def discard(self) -> None:
        """Drop everything that has not left yet, here and in the target."""
        with self._changed:
            self._waiting.clear()
            self._frames = 0
            self._changed.notify_all()
        self._target.discard()

    def close(self) -> None:
        """Let everything that waits go out, then close the target."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._raise()
        self._target.close()

    def abort(self) -> None:
        """Drop everything that waits and leave nothing half-written."""
        with self._changed:
            self._waiting.clear()
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._target.abort()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _drop_oldest(self) -> None:
        for item in self._waiting:
            if isinstance(item, ProtectedFrame):
                self._waiting.remove(item)
                self._frames -= 1
                self.dropped += 1
                return

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                item = self._waiting.popleft()
                if isinstance(item, ProtectedFrame):
                    self._frames -= 1
                self._changed.notify_all()
            try:
                if isinstance(item, ProtectedFrame):
                    self._target.video(item)
                else:
                    self._target.audio(item)
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
