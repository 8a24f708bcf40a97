"""Waits for OBS, a phone app or any RTMP encoder to push its stream to the agent."""

from __future__ import annotations

import hmac
import socket
import threading
from urllib.parse import urlsplit

import structlog

from edge_agent.errors import SourceError
from edge_agent.media.failure import in_words
from rtmp.door import Door
from rtmp.flv_pipe import FlvPipe
from rtmp.publisher import Publisher, RefusedError

RTMP_PORT = 1935
MOST_CALLERS = 16

log = structlog.get_logger()


class Listener:
    """An RTMP server for one application name and one stream key, one publisher at a time.

    Who comes with another name or key is told so and logged, without what they sent.
    Raises SourceError when the address cannot be used.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        app, _, key = parts.path.strip("/").partition("/")
        if parts.scheme != "rtmp" or not app or not key:
            raise SourceError(
                "cannot listen there: give listen:rtmp://0.0.0.0:1935/APP/KEY with a name and a key"
            )
        self._app, self._key = app, key + (f"?{parts.query}" if parts.query else "")
        where = (parts.hostname or "0.0.0.0", parts.port or RTMP_PORT)
        self._lock = threading.Condition()
        self._active: FlvPipe | None = None
        self._offered: FlvPipe | None = None
        self._closed = False
        try:
            self._door = Door(where, self._serve, most=MOST_CALLERS)
        except OSError as error:
            raise SourceError(
                f"cannot listen on {where[0]}:{where[1]}: {in_words(error)}; is it in use?"
            ) from None

    def accept(self) -> FlvPipe:
        """Wait for a publisher with the right key. Raises SourceError once closed."""
        with self._lock:
            while self._offered is None and not self._closed:
                self._lock.wait()
            if self._offered is None:
                raise SourceError("the listener is closed")
            pipe, self._offered = self._offered, None
            return pipe

    def close(self) -> None:
        """Send everybody away and free the port. From any thread, more than once."""
        with self._lock:
            self._closed = True
            if self._active is not None:
                self._active.close()
            self._lock.notify_all()
        self._door.close()

    def _serve(self, link: socket.socket, _address: str) -> None:
        pipe = FlvPipe()
        publisher = Publisher(link, [self._app])
        try:
            publisher.greet(lambda _app, key: self._admit(key, pipe))
            log.info("publisher came")
            publisher.feed(pipe.tag)
        except RefusedError as refusal:
            log.warning("publisher refused", reason=str(refusal))
            publisher.see_off()
        except (ValueError, OSError, EOFError) as error:
            log.info("publisher left", reason=in_words(error))
        finally:
            pipe.close()
            with self._lock:
                if self._active is pipe:
                    self._active = None
            publisher.close()

    def _admit(self, key: str, pipe: FlvPipe) -> None:
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            raise RefusedError("wrong stream key")
        with self._lock:
            if self._active is not None or self._closed:
                raise RefusedError("somebody is publishing already")
            self._active = self._offered = pipe
            self._lock.notify_all()
