"""Sound waits for the picture: packets leave when the frames of their time have left."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from edge_agent.media.audio import AudioPacket


class SoundDelay:
    """Holds sound packets in order until the picture has reached them."""

    def __init__(self) -> None:
        self._held: deque[AudioPacket] = deque()

    def push(self, packet: AudioPacket) -> None:
        self._held.append(packet)

    def until(self, time_ns: int) -> Iterator[AudioPacket]:
        """Take out every packet that begins at or before this stream time."""
        while self._held and self._held[0].time_ns <= time_ns:
            yield self._held.popleft()

    def rest(self) -> Iterator[AudioPacket]:
        """Take out all that is left."""
        while self._held:
            yield self._held.popleft()

    def clear(self) -> None:
        self._held.clear()
