"""When video must be spooled because the uplink may not have carried it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from edge_agent.media.audio import AudioPacket
from edge_agent.media.packet import ProtectedPacket

START_S = 10.0
"""How long the first connection may take before its want counts as a gap."""
TAIL_S = 4.0
"""A new connection begins with the next keyframe: spooling goes on a little longer than that."""
BEFORE_S = 20.0
"""Longer than the sink's queue and the time that a dead connection takes to be noticed."""
LARGEST = 64 << 20


class Gap:
    """Times in seconds of the stream."""

    def __init__(self) -> None:
        self._open = False
        self._carried_once = False
        self._first: float | None = None
        self._carried_since: float | None = None

    def is_open(self, now: float, *, carried: bool) -> bool:
        """Whether the picture of this time is to be spooled."""
        if self._first is None:
            self._first = now
        if carried:
            self._carried_once = True
            if self._carried_since is None:
                self._carried_since = now
            if now - self._carried_since >= TAIL_S:
                self._open = False
        else:
            self._carried_since = None
            if self._carried_once or now - self._first >= START_S:
                self._open = True
        return self._open


class Before:
    """The last seconds in memory, from a keyframe on: what may have been sent in vain."""

    def __init__(self) -> None:
        self._groups: deque[list[ProtectedPacket | AudioPacket]] = deque()
        self._starts: deque[float] = deque()
        self._size = 0

    def push(self, packet: ProtectedPacket | AudioPacket) -> None:
        """Keep a packet, and let go of groups of pictures that lie far enough back."""
        if isinstance(packet, ProtectedPacket) and packet.is_key:
            self._groups.append([])
            self._starts.append(seconds(packet))
        if not self._groups:
            return
        self._groups[-1].append(packet)
        self._size += len(packet.data)
        newest = seconds(packet)
        while len(self._groups) > 1 and (
            newest - self._starts[1] >= BEFORE_S or self._size > LARGEST
        ):
            self._size -= sum(len(old.data) for old in self._groups.popleft())
            self._starts.popleft()

    def drain(self) -> Iterator[ProtectedPacket | AudioPacket]:
        """All that is kept, oldest first; nothing is kept any more."""
        groups = list(self._groups)
        self.clear()
        for group in groups:
            yield from group

    def clear(self) -> None:
        self._groups.clear()
        self._starts.clear()
        self._size = 0


def seconds(packet: ProtectedPacket | AudioPacket) -> float:
    """Where a packet lies on the stream's clock."""
    return float(packet.dts * packet.time_base)
