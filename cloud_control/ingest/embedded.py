"""An ingest of our own: RTMP in Python, one small process a stream that cuts it into HLS."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from cloud_control.errors import IngestError
from cloud_control.ingest.port import APP, MayPublish, OnEvent, Options, Refused, asked, hls_path
from cloud_control.ingest.publishers import Publishers
from cloud_control.ingest.remuxer import Remuxer
from cloud_control.ingest.watch import Watch
from rtmp.door import Door
from rtmp.publisher import Publisher, RefusedError

MOST_CALLERS = 128
CLOSING_S = 20.0

log = structlog.get_logger()


class EmbeddedIngest:
    """An `Ingest` that needs no other program. tls: takes RTMPS instead of RTMP.

    Encoders are told why they are refused.
    """

    def __init__(
        self,
        options: Options,
        may_publish: MayPublish,
        on_event: OnEvent,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._options, self._tls = options, tls
        self._publishers = Publishers(may_publish)
        self._watch = Watch(options, self._publishers, on_event)
        self._door: Door | None = None
        self._change = threading.Condition()
        self._links: dict[str, socket.socket] = {}
        self._served = 0

    def start(self) -> None:
        options = self._options
        self._watch.start()
        try:
            self._door = Door(
                (options.host, options.port), self._serve, most=MOST_CALLERS, tls=self._tls
            )
        except OSError as error:
            self._watch.close()
            raise IngestError(
                f"The ingest cannot listen on {options.host}:{options.port} ({error.strerror}); "
                "end what uses it or choose another --ingest-port."
            ) from None

    def close(self) -> None:
        if self._door is not None:
            self._door.close()
        deadline = time.monotonic() + CLOSING_S
        with self._change:
            while self._served and self._change.wait(max(0.0, deadline - time.monotonic())):
                pass
        self._watch.close()

    def publishing(self) -> frozenset[str]:
        return self._publishers.publishing()

    def playback(self, stream: str) -> str:
        return hls_path(stream)

    def hang_up(self, stream: str) -> None:
        session = self._publishers.dismiss(stream)
        with self._change:
            link = self._links.get(session or "")
        if link is not None:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def end(self, stream: str) -> None:
        self.hang_up(stream)
        self._watch.end(stream)

    def _serve(self, link: socket.socket, address: str) -> None:
        session = secrets.token_hex(8)
        with self._change:
            self._served += 1
            self._links[session] = link
        try:
            self._converse(session, link, address)
        finally:
            self._publishers.leave(session)
            with self._change:
                del self._links[session]
                self._served -= 1
                self._change.notify_all()

    def _converse(self, session: str, link: socket.socket, address: str) -> None:
        publisher = Publisher(link, [APP])
        granted: list[str] = []

        def admit(app: str, stream_key: str) -> None:
            answer = self._publishers.enter(session, asked(app, stream_key, address))
            if isinstance(answer, Refused):
                raise RefusedError(answer.reason)
            granted.append(answer.stream)

        try:
            publisher.greet(admit)
            self._remux(publisher, granted[0], session)
        except RefusedError as refusal:
            log.warning("publisher refused", reason=str(refusal), address=address)
            publisher.see_off()
        except (ValueError, OSError, EOFError) as error:
            log.info("publisher left", reason=type(error).__name__, address=address)
        finally:
            publisher.close()

    def _remux(self, publisher: Publisher, stream: str, session: str) -> None:
        remuxer = Remuxer(
            self._options.hls / stream, self._options.segment_s, self._recording(stream)
        )
        log.info("publisher came", stream=stream)

        def take(kind: int, time_ms: int, body: bytes) -> bool:
            self._publishers.heard(session)
            return remuxer.take(kind, time_ms, body)

        try:
            publisher.feed(take)
        finally:
            complaint = remuxer.close()
            if complaint:
                log.warning("publisher sent off", stream=stream, reason=complaint)

    def _recording(self, stream: str) -> Path | None:
        if not self._options.record:
            return None
        now = datetime.now(UTC)
        return self._options.recordings / stream / f"{now:%Y-%m-%dT%H-%M-%S.%f}.mp4"
