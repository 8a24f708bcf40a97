"""Where phones push by the original app: their video goes to the agent on this machine."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cloud_control.domain.fleet import Stream
from cloud_control.domain.original_app import Lease
from cloud_control.plane import Plane
from cloud_control.service.leases import Leases

LOOPBACK = "127.0.0.1"
DEAF_S = 30.0
"""A phone is hung up on when its agent has not had its video for so long."""


@dataclass(slots=True)
class _Push:
    """A phone that pushes. since, until: seconds of the monotonic clock."""

    lease: Lease
    since: float
    until: float


class PhoneDoor:
    """See `FrontDoor`. What comes under an id is passed to the agent's listener on this machine's
    loopback address, and nowhere else. A phone is known by its address: the app has no other name.
    """

    def __init__(
        self, plane: Plane, leases: Leases, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._plane, self._leases, self._monotonic = plane, leases, monotonic
        self._lock = threading.Lock()
        self._pushes: dict[str, _Push] = {}

    def push(self, session: str, name: str, address: str, lease_s: float) -> str | None:
        lease = self._leases.of(name)
        if lease is None or lease.address != address or not at_home(address):
            return None
        held = self._plane.documents.streams.get(f"{self._plane.fleet}/{lease.stream}")
        now = self._monotonic()
        with self._lock:
            self._forget_old(now)
            if held is None or any(one.lease == lease for one in self._pushes.values()):
                return None
            self._pushes[session] = _Push(lease, now, now + lease_s)
        return _listener(held.value)

    def goes_on(self, session: str, name: str, address: str, lease_s: float) -> bool:
        with self._lock:
            push = self._pushes.get(session)
        if push is None:  # we were started after it
            return self.push(session, name, address, lease_s) is not None
        now = self._monotonic()
        push.until = now + lease_s
        return self._leases.of(name) == push.lease and not self._deaf(push, now)

    def left(self, session: str) -> None:
        with self._lock:
            self._pushes.pop(session, None)

    def shown_as(self, name: str) -> str | None:
        lease = self._leases.of(name)
        return lease.stream if lease else None

    def pushed(self) -> set[str]:
        """The streams whose phones push now."""
        with self._lock:
            self._forget_old(self._monotonic())
            return {one.lease.stream for one in self._pushes.values()}

    def _forget_old(self, now: float) -> None:
        self._pushes = {name: one for name, one in self._pushes.items() if one.until > now}

    def _deaf(self, push: _Push, now: float) -> bool:
        """Whether the phone's video gets lost on its way: its worker was started anew."""
        stream = push.lease.stream
        held = self._plane.documents.streams.get(f"{self._plane.fleet}/{stream}")
        if held is None or now - push.since < DEAF_S:
            return held is None
        state = self._plane.live.of(self._plane.fleet, held.value.agent).state_of(stream)
        return state is not None and not state.source_connected


def at_home(address: str) -> bool:
    """Whether somebody calls from a private network, such as the gateway's own."""
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False


def _listener(stream: Stream) -> str | None:
    """Where the agent waits; None if somebody gave the stream another source: raw video stays on
    this machine."""
    source, here = stream.source, f"listen:rtmp://{LOOPBACK}:"
    if source.url is None or source.key is None or not source.url.startswith(here):
        return None
    return f"{source.url.removeprefix('listen:')}/{source.key.get_secret_value()}"
