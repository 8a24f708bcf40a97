"""One destination with a thread and a fate of its own: whatever it does, nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from av.video.stream import VideoStream

from edge_agent.errors import SinkError
from edge_agent.media.audio import AudioFormat, AudioPacket
from edge_agent.media.backoff import Backoff
from edge_agent.media.output import Output, opener_for
from edge_agent.media.packet import ProtectedPacket
from edge_agent.media.urls import redact_url

QUEUE_LENGTH = 400  # packets: about five seconds of 30 fps video with its sound
STEADY_S = 10.0
GOODBYE_S = 5.0

log = structlog.get_logger()

Sent = ProtectedPacket | AudioPacket


@dataclass(frozen=True, slots=True)
class SinkState:
    """How a sink is doing. `failed` says why it has given up for good; url holds no secret."""

    url: str
    connected: bool
    dropped: int
    reconnects: int
    sent: int
    failed: str | None


class Sink:
    """Sends packets to one address, and comes back by itself when the connection breaks.

    `video` and `audio` never block. A full queue is dropped up to the next keyframe, which is
    asked for with `request_keyframe`, as it is after each (re)connect: a viewer can always start.
    Raises SinkError at once for an address that is not supported.
    """

    def __init__(
        self,
        url: str,
        template: VideoStream,
        audio: AudioFormat | None,
        request_keyframe: Callable[[], None],
        carried: Callable[[], bool] | None = None,
    ) -> None:
        self._url = redact_url(url)
        self._open, self._mendable = opener_for(url, carried)
        self._template, self._format = template, audio
        self._request_keyframe = request_keyframe
        self._queue: deque[Sent] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._await_key = True
        self._output: Output | None = None
        self._dropped = self._reconnects = self._sent = 0
        self._failed: str | None = None
        self._told = False
        self._thread = threading.Thread(target=self._work, name=f"sink {self._url}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> SinkState:
        output = self._output
        return SinkState(
            url=self._url,
            connected=output is not None and output.connected,
            dropped=self._dropped,
            reconnects=self._reconnects,
            sent=self._sent + (output.sent if output else 0),
            failed=self._failed,
        )

    def video(self, packet: ProtectedPacket) -> None:
        """Queue one coded picture."""
        with self._news:
            if self._await_key and not packet.is_key:
                self._dropped += 1
                return
            if not self._put(packet):
                return
            self._await_key = False

    def audio(self, packet: AudioPacket) -> None:
        """Queue sound; none goes out before the picture that it belongs to."""
        with self._news:
            if not self._await_key:
                self._put(packet)

    def finish(self) -> None:
        """Take nothing more; what is queued still goes out, and the output ends properly."""
        with self._news:
            self._closing = True
            self._news.notify()

    def discard(self) -> None:
        """Drop what is queued; the next picture that is sent can start a viewer."""
        output = self._output
        if output is not None:
            output.discard()
        with self._news:
            self._drop_all()

    def close(self) -> None:
        """Finish, and wait for it; a connection that is stuck is cut after a few seconds."""
        self.finish()
        self._thread.join(GOODBYE_S)
        output = self._output
        if self._thread.is_alive() and output is not None:
            output.kill()

    def abort(self) -> None:
        """Send nothing more, not even what is queued; a recording still ends so that it plays."""
        with self._news:
            self._queue.clear()
        output = self._output
        if output is not None:
            output.kill()
        self.close()

    def _put(self, packet: Sent) -> bool:
        if self._failed is not None:
            return False
        if len(self._queue) >= QUEUE_LENGTH:
            self._drop_all()
            return False
        self._queue.append(packet)
        self._news.notify()
        return True

    def _drop_all(self) -> None:
        self._dropped += len(self._queue)
        self._queue.clear()
        self._await_key = True
        self._request_keyframe()

    def _take(self) -> Sent | None:
        """The next packet; None when closing and nothing is left."""
        with self._news:
            while not self._queue and not self._closing:
                self._news.wait()
            return self._queue.popleft() if self._queue else None

    def _work(self) -> None:
        backoff = Backoff()
        while not self._closing or self._queue:
            began = time.monotonic()
            try:
                self._serve()
            except SinkError as error:
                self._lost(error)
                if self._failed is not None or self._closing:
                    return
                if time.monotonic() - began > STEADY_S:
                    backoff.reset()
                self._rest(backoff.next())
            else:
                return

    def _serve(self) -> None:
        """One connection from its first keyframe to its end."""
        packet = self._take()
        if packet is None:
            return
        output = self._open(self._template, self._format)
        self._output = output
        while packet is not None:
            if isinstance(packet, ProtectedPacket):
                output.video(packet)
            else:
                output.audio(packet)
            packet = self._take()
        output.close()
        self._settle()

    def _lost(self, error: SinkError) -> None:
        if (self._output is not None and self._output.connected) or not self._told:
            log.warning("sink lost", sink=self._url, reason=str(error))
            self._told = True  # further vain tries are not worth a line each
        if self._output is not None:
            self._reconnects += 1
        self._settle()
        if not self._mendable:
            self._failed = str(error)
        with self._news:
            self._drop_all()

    def _settle(self) -> None:
        """Move the figures of the connection that is over into the sink's own."""
        output, self._output = self._output, None
        if output is not None:
            self._sent += output.sent

    def _rest(self, seconds: float) -> None:
        """Wait before the next try; what comes meanwhile is dropped, to start afresh."""
        until = time.monotonic() + seconds
        with self._news:
            while not self._closing and (left := until - time.monotonic()) > 0:
                self._news.wait(left)
            self._drop_all()
