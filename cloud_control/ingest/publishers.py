"""Who publishes what now: asked about the right to, and one a stream at a time."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

from cloud_control.ingest.port import Asked, Event, Granted, Kind, MayPublish, Refused
from fleet_contract.fields import ID_PATTERN

BUSY = Refused("somebody is publishing this stream already")
WRONG_NAME = Refused("the stream key must be STREAM?key=KEY")
STREAM = re.compile(ID_PATTERN)


@dataclass(slots=True)
class _Session:
    """moved: when media came last, as far as is known; asked: when that was last looked at, None if
    it is told at once; mark: how far media had come then."""

    stream: str
    until: float
    over: bool = False
    moved: float | None = None
    asked: float | None = None
    mark: str = ""


class Publishers:
    """Sessions are named by the server that has the connection. From any thread.

    What happens is put into `events`, in order, for one thread to read.
    """

    def __init__(
        self, may_publish: MayPublish, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.events: SimpleQueue[Event] = SimpleQueue()
        self._may_publish, self._monotonic = may_publish, monotonic
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def enter(
        self, session: str, asked: Asked, lease_s: float = float("inf"), *, by_name: bool = False
    ) -> Granted | Refused:
        """A session begins, for `lease_s` seconds at first, or is told why not.

        by_name: the server cannot give a stream another name, so it must come with its public id.
        """
        answer = self._may_publish(asked)
        if isinstance(answer, Refused):
            return answer
        if by_name and answer.stream != asked.name:
            return WRONG_NAME
        if not STREAM.fullmatch(answer.stream):
            raise ValueError("a stream's id must fit the contract: it becomes a folder's name")
        with self._lock:
            self._leave(session)
            self._expire()
            if any(known.stream == answer.stream for known in self._sessions.values()):
                return BUSY
            self._sessions[session] = _Session(answer.stream, self._monotonic() + lease_s)
            self._tell(Kind.PUBLISH, answer.stream)
        return answer

    def leave(self, session: str) -> None:
        """The session is over; nothing happens if it never began."""
        with self._lock:
            self._leave(session)

    def leave_stream(self, stream: str) -> None:
        """Whoever published the stream is gone."""
        with self._lock:
            for session in [s for s, known in self._sessions.items() if known.stream == stream]:
                self._leave(session)

    def leave_all(self) -> None:
        """The server that had all the sessions is gone."""
        with self._lock:
            for session in list(self._sessions):
                self._leave(session)

    def renew(self, session: str, lease_s: float) -> bool | None:
        """Still there: True. To be hung up on: False. Never heard of: None."""
        with self._lock:
            known = self._sessions.get(session)
            if known is None:
                return None
            known.until = self._monotonic() + lease_s
            return not known.over

    def heard(self, session: str, mark: str = "") -> None:
        """The session's media go on. With a mark: they have come so far, and the same mark again
        says that none came since."""
        now = self._monotonic()
        with self._lock:
            known = self._sessions.get(session)
            if known is None:
                return
            if not mark or mark != known.mark:
                known.mark, known.moved = mark, now
            known.asked = now if mark else None

    def silent(self, seconds: float) -> frozenset[str]:
        """The streams whose publishers are there and have sent nothing for so long."""
        now = self._monotonic()
        with self._lock:
            return frozenset(
                known.stream
                for known in self._sessions.values()
                if known.moved is not None and (known.asked or now) - known.moved >= seconds
            )

    def dismiss(self, stream: str) -> str | None:
        """The session to hang up on, if the stream has one; `renew` says the same from now on."""
        with self._lock:
            for session, known in self._sessions.items():
                if known.stream == stream:
                    known.over = True
                    return session
        return None

    def expire(self) -> None:
        """Forget sessions whose lease has run out."""
        with self._lock:
            self._expire()

    def publishing(self) -> frozenset[str]:
        """The streams that have a publisher now."""
        with self._lock:
            return frozenset(known.stream for known in self._sessions.values())

    def _expire(self) -> None:
        now = self._monotonic()
        for session in [s for s, known in self._sessions.items() if known.until < now]:
            self._leave(session)

    def _leave(self, session: str) -> None:
        known = self._sessions.pop(session, None)
        if known is not None:
            self._tell(Kind.PUBLISH_DONE, known.stream)

    def _tell(self, kind: Kind, stream: str) -> None:
        self.events.put(Event(kind, stream, time.time()))
