"""RTMP's chunk stream: messages cut into pieces and woven together (RTMP 1.0, chapter 5)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGE, WINDOW_SIZE, PEER_BANDWIDTH = 1, 2, 3, 5, 6
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
LARGEST = 16 << 20
LARGEST_FROM_STRANGERS = 1 << 16
MOST_LANES = 64
LONG_TIME = 0xFFFFFF


@dataclass(slots=True)
class Message:
    """kind is one of the constants above; time is in ms; stream is 0 for the connection itself."""

    kind: int
    time: int
    stream: int
    body: bytes


@dataclass(slots=True)
class Lane:
    """What one chunk stream remembers from header to header."""

    time: int = 0
    delta: int = 0
    length: int = 0
    kind: int = 0
    stream: int = 0
    extended: bool = False
    body: bytearray = field(default_factory=bytearray)


class ChunkReader:
    """Reads messages with `read(n)`, which gives exactly n bytes or raises OSError or EOFError.

    `largest` bounds a message, in bytes; raise it once the sender is known.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._source = read
        self._lanes: dict[int, Lane] = {}
        self._size = 128
        self.received = 0
        self.largest = LARGEST_FROM_STRANGERS

    def next(self) -> Message:
        """The next whole message. Raises ValueError when what comes is not RTMP."""
        while True:
            lane = self._piece()
            if lane is None:
                continue
            message = Message(lane.kind, lane.time, lane.stream, bytes(lane.body))
            lane.body = bytearray()
            if message.kind == SET_CHUNK_SIZE and len(message.body) >= 4:
                self._size = struct.unpack(">I", message.body[:4])[0] & 0x7FFFFFFF
                if not 0 < self._size <= LARGEST:
                    raise ValueError("impossible chunk size")
            elif message.kind == ABORT and len(message.body) >= 4:
                self._lanes.pop(struct.unpack(">I", message.body[:4])[0], None)
            else:
                return message

    def _read(self, count: int) -> bytes:
        self.received += count
        return self._source(count)

    def _piece(self) -> Lane | None:
        """Read one chunk; its lane when that completes a message."""
        first = self._read(1)[0]
        form, number = first >> 6, first & 0x3F
        if number == 0:
            number = 64 + self._read(1)[0]
        elif number == 1:
            number = 64 + struct.unpack("<H", self._read(2))[0]
        lane = self._lanes.setdefault(number, Lane())
        if len(self._lanes) > MOST_LANES:
            raise ValueError("too many chunk streams")
        self._header(lane, form)
        lane.body += self._read(min(self._size, lane.length - len(lane.body)))
        return lane if len(lane.body) == lane.length else None

    def _header(self, lane: Lane, form: int) -> None:
        stamp = lane.delta
        if form < 3:
            stamp = int.from_bytes(self._read(3), "big")
            lane.extended = stamp == LONG_TIME
        if form < 2:
            lane.length = int.from_bytes(self._read(3), "big")
            lane.kind = self._read(1)[0]
            lane.body = bytearray()
            if lane.length > self.largest:
                raise ValueError("impossible message length")
        if form == 0:
            lane.stream = struct.unpack("<I", self._read(4))[0]
        if lane.extended:
            stamp = struct.unpack(">I", self._read(4))[0]
        if lane.body:
            return  # a further piece of the same message
        lane.time = stamp if form == 0 else (lane.time + stamp) & 0xFFFFFFFF
        lane.delta = 0 if form == 0 else stamp


def write_message(kind: int, body: bytes, *, stream: int = 0, lane: int = 3) -> bytes:
    """A message as one chunk, time 0; the peer must have been told a chunk size that holds it."""
    head = bytes([lane, 0, 0, 0]) + len(body).to_bytes(3, "big") + bytes([kind])
    return head + struct.pack("<I", stream) + body
