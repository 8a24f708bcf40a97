"""What the original app asks for, done by streams of one gateway's agent."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from pydantic import SecretStr

from cloud_control.domain.categories import ALL, CATEGORIES
from cloud_control.domain.fleet import Stream, agent_key
from cloud_control.domain.original_app import Lease
from cloud_control.errors import ForbiddenError, NotFoundError, RequestError
from cloud_control.ingest.port import APP
from cloud_control.plane import Plane
from cloud_control.service.leases import Leases
from cloud_control.service.phone_door import LOOPBACK, at_home
from cloud_control.service.streams import StreamChange, StreamRequest
from fleet_contract.endpoint import Endpoint
from fleet_contract.stream_state import StreamState

WHO = "original app"
KNOWN = {one.id for one in CATEGORIES}
GENERAL = CATEGORIES[0].id
LONGEST_TITLE = 120
READY_S = 30.0
"""How long the agent may take to be ready for a push."""
GONE_S = 30.0
"""How long a phone may push nothing before its id is free again."""
AGENT_GONE_S = 120
POLL_S = 0.1

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Shown:
    """An id in use and its stream."""

    id: int
    stream: Stream
    since: int


class OriginalApp:
    """Ids and the streams that they stand for. From any thread, but for `tick`, which belongs to
    one.

    agent: of this machine; pushed: the streams whose phones push now.
    """

    def __init__(
        self,
        plane: Plane,
        leases: Leases,
        agent: str,
        pushed: Callable[[], set[str]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plane, self._leases, self._agent = plane, leases, agent
        self._pushed, self._monotonic = pushed, monotonic
        self._pushed_at: dict[str, float] = {}
        self._making: set[str] = set()

    def start(self, title: str, category: int, address: str) -> Shown:
        """Lend an id and have the agent listen for what is pushed under it.

        Raises ForbiddenError for a caller from elsewhere, TakenError when no id is free,
        RequestError when the agent is not there or does not get ready.
        """
        if not at_home(address):
            raise ForbiddenError("only devices of the gateway's own network may go live here")
        if not self._plane.live.of(self._plane.fleet, self._agent).online:
            raise RequestError(f"the agent {self._agent}, which protects, is not running")
        name = f"app-{secrets.token_hex(6)}"
        self._making.add(name)
        try:
            lease = self._leases.lend(name, address, self._plane.clock())
            try:
                stream = self._make(name, title.strip(), category)
                self._await_ready(name)
            except BaseException:
                self._end(lease)
                raise
        finally:
            self._making.discard(name)
        return Shown(lease.id, stream, lease.since)

    def release(self, number: str, address: str) -> None:
        """End the stream; the id goes to the end of the queue. Nothing happens to one that is free.
        Raises ForbiddenError for somebody else's."""
        lease = self._leases.of(number)
        if lease is not None:
            _refuse_others(lease, address)
            self._end(lease)

    def running(self, number: str) -> bool:
        return self._leases.of(number) is not None

    def all(self, category: int = ALL) -> list[Shown]:
        """What is going on, the oldest first."""
        found = []
        for lease in self._leases.all():
            stream = self._stream(lease)
            if stream is not None and category in (ALL, stream.category):
                found.append(Shown(lease.id, stream, lease.since))
        return found

    def mosaic(self, number: str, address: str, *, on: bool) -> str | None:
        """Wish for the mosaic. "Off" waits on the device for consent to it: then the id of the
        stream that it is asked for. Raises NotFoundError, ForbiddenError."""
        lease = self._leases.of(number)
        if lease is None:
            raise NotFoundError("nobody holds this id")
        _refuse_others(lease, address)
        plane = self._plane
        stream = plane.streams.get(plane.fleet, lease.stream)
        agent = plane.documents.agents.need(agent_key(plane.fleet, self._agent)).value
        usual = agent.protection or plane.protection.of_fleet(plane.fleet)
        wanted = (stream.protection or usual).model_copy(update={"mosaic": on})
        change = StreamChange(protection=None if wanted == usual else wanted)
        plane.streams.change(WHO, plane.fleet, lease.stream, change)
        state = self._state(lease.stream)
        in_force = on or (state is not None and state.state == "OFF")
        return None if in_force else lease.stream

    def tick(self) -> None:
        """End what nobody pushes any more, and free ids whose streams ended otherwise."""
        now, pushed, leases = self._monotonic(), self._pushed(), self._leases.all()
        known = {lease.stream for lease in leases}
        self._pushed_at = {name: at for name, at in self._pushed_at.items() if name in known}
        for lease in leases:
            if lease.stream in pushed or lease.stream in self._making:
                self._pushed_at[lease.stream] = now
                continue
            idle = now - self._pushed_at.setdefault(lease.stream, now)
            if idle > GONE_S or self._stream(lease) is None:
                log.info("an id is free again", id=lease.id, stream=lease.stream)
                self._end(lease)

    def _make(self, name: str, title: str, category: int) -> Stream:
        request = StreamRequest(
            agent=self._agent,
            id=name,
            title=title[:LONGEST_TITLE] or "untitled",
            category=category if category in KNOWN else GENERAL,
            source=Endpoint(
                url=f"listen:rtmp://{LOOPBACK}:{_free_port()}/{APP}",
                key=SecretStr(secrets.token_urlsafe(16)),
            ),
            lease_seconds=AGENT_GONE_S,
        )
        return self._plane.streams.add(WHO, self._plane.fleet, request)

    def _await_ready(self, name: str) -> None:
        until = self._monotonic() + READY_S
        while (state := self._state(name)) is None or state.run not in {"waiting", "running"}:
            if self._monotonic() > until:
                raise RequestError(f"the agent {self._agent} did not get ready; see its log")
            time.sleep(POLL_S)

    def _end(self, lease: Lease) -> None:
        """The stream first: a crash in between leaves an id whose stream is gone, which `tick`
        finds."""
        with suppress(NotFoundError):
            self._plane.streams.remove(WHO, self._plane.fleet, lease.stream)
        self._leases.give_back(lease)

    def _stream(self, lease: Lease) -> Stream | None:
        held = self._plane.documents.streams.get(f"{self._plane.fleet}/{lease.stream}")
        return held.value if held else None

    def _state(self, stream: str) -> StreamState | None:
        return self._plane.live.of(self._plane.fleet, self._agent).state_of(stream)


def _refuse_others(lease: Lease, address: str) -> None:
    if lease.address != address:
        raise ForbiddenError("another device holds this id")


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as probe:
        return int(probe.getsockname()[1])
