"""Media messages in, an FLV file being read as it grows out."""

from __future__ import annotations

import threading
from collections import deque

from rtmp import flv

MOST_WAITING = 8 << 20


class FlvPipe:
    """Joins the thread that receives with the one that demuxes; either may end it with `close`."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque([flv.HEADER])
        self._waiting = 0
        self._closed = False
        self._change = threading.Condition()
        self.name = "flv"

    def tag(self, kind: int, time: int, body: bytes) -> bool:
        """Append a message; False once closed.

        Waits while the reader is far behind, so that the sender feels it.
        """
        part = flv.tag(kind, time, body)
        with self._change:
            while self._waiting > MOST_WAITING and not self._closed:
                self._change.wait()
            if self._closed:
                return False
            self._parts.append(part)
            self._waiting += len(part)
            self._change.notify_all()
            return True

    def read(self, count: int) -> bytes:
        """Up to `count` bytes as soon as there are any; nothing once closed and read."""
        with self._change:
            while not self._parts and not self._closed:
                self._change.wait()
            if not self._parts:
                return b""
            part = self._parts.popleft()
            if len(part) > count:
                self._parts.appendleft(part[count:])
                part = part[:count]
            self._waiting = max(0, self._waiting - len(part))
            self._change.notify_all()
            return part

    def close(self) -> None:
        """No more comes; the reader ends after what is there."""
        with self._change:
            self._closed = True
            self._change.notify_all()
