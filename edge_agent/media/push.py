"""One connection to a server, made and held by a child process that is fed through a pipe."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from contextlib import suppress

from av.video.stream import VideoStream

from edge_agent.errors import SinkError
from edge_agent.media.audio import AudioFormat, AudioPacket
from edge_agent.media.container import Container
from edge_agent.media.mux import Mux
from edge_agent.media.packet import ProtectedPacket
from edge_agent.media.relay import push_command, speaks_srt
from edge_agent.media.urls import redact_url

COPIER = [sys.executable, "-m", "edge_agent.media.pusher"]
CONNECT_S = 10.0
STALL_S = 10.0
FAREWELL_S = 3.0


class Pipe:
    """The child's standard input as a file object whose writes give up after `STALL_S` seconds."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None
        self._descriptor = child.stdin.fileno()
        os.set_blocking(self._descriptor, False)
        self.sent = 0

    def write(self, data: bytes) -> int:
        """Write all of `data`. Raises TimeoutError or BrokenPipeError."""
        left = memoryview(data)
        while left:
            _, ready, _ = select.select([], [self._descriptor], [], STALL_S)
            if not ready:
                raise TimeoutError("the connection takes no more data")
            count = os.write(self._descriptor, left)
            self.sent += count
            left = left[count:]
        return len(data)


class Push:
    """Sends coded video and sound to one address. Raises SinkError once that is over.

    It is used by one thread and may take up to `STALL_S` seconds in a call.
    """

    def __init__(
        self, url: str, container: Container, video: VideoStream, audio: AudioFormat | None
    ) -> None:
        self._name = redact_url(url)
        self._since = time.monotonic()
        self._said = b""
        self.connected = False
        relayed = url.startswith("srt:") and not speaks_srt()
        command = push_command(url) if relayed else COPIER
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._child.stdout is not None
        os.set_blocking(self._child.stdout.fileno(), False)
        try:
            self._pipe = Pipe(self._child)
            if not relayed:
                self._pipe.write(f"{url}\n".encode())
            self._mux = Mux(self._pipe, container, video, audio, name=self._name)
        except (OSError, SinkError) as error:
            raise self._end(error) from None

    @property
    def sent(self) -> int:
        """Bytes given to the connection."""
        return self._pipe.sent

    def video(self, packet: ProtectedPacket) -> None:
        """Send one coded picture."""
        self._listen()
        try:
            self._mux.video(packet)
        except SinkError as error:
            raise self._end(error) from None

    def audio(self, packet: AudioPacket) -> None:
        """Send sound."""
        try:
            self._mux.audio(packet)
        except SinkError as error:
            raise self._end(error) from None

    def close(self) -> None:
        """Say goodbye to the server, for at most a few seconds."""
        try:
            self._mux.close()
        except SinkError as error:
            raise self._end(error) from None
        self._reap(FAREWELL_S)

    def discard(self) -> None:
        """What was given to the connection is gone."""

    def kill(self) -> None:
        """Cut the connection; a call under way in another thread fails at once."""
        self._child.kill()

    def _listen(self) -> None:
        """Take in what the child says: connected, or why it cannot."""
        assert self._child.stdout is not None
        self._said += self._child.stdout.read() or b""
        if b"connected\n" in self._said or b"progress=" in self._said:
            self.connected = True
        if b"error: " in self._said:
            raise self._end(None)
        if not self.connected and time.monotonic() - self._since > CONNECT_S:
            raise self._end(TimeoutError("no answer in time"))

    def _end(self, error: Exception | None) -> SinkError:
        """Put an end to the child and say what its end was."""
        self._reap(0.5)
        why = self._said.decode(errors="replace").partition("error: ")[2].strip()
        reason = why or (str(error) if isinstance(error, TimeoutError) else "the connection broke")
        return SinkError(f"cannot send to {self._name}: {reason}")

    def _reap(self, patience: float) -> None:
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(OSError):
            child.stdin.close()
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if not child.stdout.closed:
            self._said += child.stdout.read() or b""
            child.stdout.close()
