"""The server's side of one RTMP connection: someone who wants to publish to us."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from rtmp import amf
from rtmp.chunks import (
    ACKNOWLEDGE,
    AUDIO,
    COMMAND,
    DATA,
    LARGEST,
    PEER_BANDWIDTH,
    SET_CHUNK_SIZE,
    VIDEO,
    WINDOW_SIZE,
    ChunkReader,
    Message,
    write_message,
)

HANDSHAKE = 1536
WINDOW = 2_500_000
CHUNK = 4096
DATA_STREAM = 1
SILENCE_S = 10.0
GREETING_S = 15.0
FAREWELL_S = 2.0
MEDIA = frozenset({AUDIO, VIDEO, DATA})
GOODBYES = frozenset({"deleteStream", "FCUnpublish", "closeStream"})


Admit = Callable[[str, str], None]
"""Gets the application's name and the stream key as sent; raises RefusedError to refuse them."""


class RefusedError(Exception):
    """The publisher is told this text and must go; it is fit for the log."""


class Publisher:
    """Talks RTMP on `link`. Raises RefusedError, ValueError, OSError or EOFError at its end.

    apps: the application names that there are.
    """

    def __init__(self, link: socket.socket, apps: Collection[str]) -> None:
        self._link = link
        self._apps, self._app = apps, ""
        link.settimeout(SILENCE_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = link.makefile("rb")
        self._reader = ChunkReader(self._exactly)
        self._acknowledged = 0

    def greet(self, admit: Admit) -> None:
        """Shake hands and answer commands until a key that `admit` takes is published."""
        hang_up = threading.Timer(GREETING_S, self._hang_up)  # on who drips byte after byte
        hang_up.daemon = True
        hang_up.start()
        try:
            self._shake_hands()
            while not self._answer(self._reader.next(), admit):
                pass
        finally:
            hang_up.cancel()

    def _shake_hands(self) -> None:
        if self._exactly(1) != b"\x03":
            raise ValueError("not RTMP")
        theirs = self._exactly(HANDSHAKE)
        self._link.sendall(b"\x03" + bytes(8) + os.urandom(HANDSHAKE - 8) + theirs)
        self._exactly(HANDSHAKE)

    def feed(self, take: Callable[[int, int, bytes], bool]) -> None:
        """Hand media on, as kind, time in ms and body of FLV tags, until the publisher leaves or
        `take` says False."""
        self._reader.largest = LARGEST
        while True:
            message = self._reader.next()
            self._acknowledge()
            if message.kind in MEDIA:
                body = _without_command(message)
                if body and not take(message.kind, message.time, body):
                    return
            elif message.kind == COMMAND and amf.decode(message.body)[:1][0] in GOODBYES:
                return

    def see_off(self) -> None:
        """After a refusal: let the other side read why. Hanging up on what it still sends would
        throw our answer away."""
        until = time.monotonic() + FAREWELL_S
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_WR)
            self._link.settimeout(FAREWELL_S)
            while time.monotonic() < until and self._link.recv(4096):
                pass

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._link.close()

    def _answer(self, message: Message, admit: Admit) -> bool:
        """Reply to one message if it is a command; True when publishing begins."""
        if message.kind != COMMAND:
            return False
        command = amf.decode(message.body)
        name, number = (*command, None, None)[:2]
        if name == "connect":
            self._connect(number, command[2] if len(command) > 2 else None)
        elif name == "createStream":
            self._send(COMMAND, amf.encode("_result", number, None, float(DATA_STREAM)))
        elif name == "publish":
            self._publish(command[3] if len(command) > 3 else None, admit)
            return True
        elif name == "play":
            self._refuse("NetStream.Play.StreamNotFound", "nothing can be played from here")
        return False

    def _connect(self, number: amf.Value, details: amf.Value) -> None:
        app = details.get("app") if isinstance(details, dict) else None
        self._send(WINDOW_SIZE, struct.pack(">I", WINDOW))
        self._send(PEER_BANDWIDTH, struct.pack(">IB", WINDOW, 2))
        self._send(SET_CHUNK_SIZE, struct.pack(">I", CHUNK))
        self._app = str(app).strip("/")
        if self._app not in self._apps:
            status = _status("error", "NetConnection.Connect.Rejected", "wrong server address")
            self._send(COMMAND, amf.encode("_error", number, None, status))
            raise RefusedError("wrong application name in the server address")
        server: amf.Value = {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31.0}
        status = _status("status", "NetConnection.Connect.Success", "connected")
        self._send(COMMAND, amf.encode("_result", number, server, status))

    def _publish(self, key: amf.Value, admit: Admit) -> None:
        try:
            admit(self._app, str(key))
        except RefusedError as refusal:
            self._refuse("NetStream.Publish.BadName", str(refusal))
        status = _status("status", "NetStream.Publish.Start", "publishing")
        self._send(COMMAND, amf.encode("onStatus", 0.0, None, status), stream=DATA_STREAM)

    def _refuse(self, code: str, why: str) -> None:
        status = _status("error", code, why)
        self._send(COMMAND, amf.encode("onStatus", 0.0, None, status), stream=DATA_STREAM)
        raise RefusedError(why)

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def _acknowledge(self) -> None:
        """Tell how much has arrived: some senders stop without it."""
        if self._reader.received - self._acknowledged > WINDOW // 2:
            self._acknowledged = self._reader.received
            self._send(ACKNOWLEDGE, struct.pack(">I", self._acknowledged & 0xFFFFFFFF))

    def _send(self, kind: int, body: bytes, *, stream: int = 0) -> None:
        lane = 3 if kind == COMMAND else 2
        self._link.sendall(write_message(kind, body, stream=stream, lane=lane))

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError
        return data


def _status(level: str, code: str, description: str) -> dict[str, amf.Value]:
    return {"level": level, "code": code, "description": description}


def _without_command(message: Message) -> bytes:
    """Data messages carry `@setDataFrame` before what belongs into a file."""
    if message.kind == DATA and amf.decode(message.body)[:1] == ["@setDataFrame"]:
        return amf.skip_string(message.body)
    return message.body
