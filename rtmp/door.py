"""A port that callers come to, each served in a thread of its own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

HANDSHAKE_S = 10.0


class Door:
    """Listens until `close`. Raises OSError when the address cannot be used.

    serve: gets the connection and the caller's address, in the caller's thread; the connection is
    closed when it returns. More callers than `most` at a time are hung up on. tls: RTMPS.
    """

    def __init__(
        self,
        where: tuple[str, int],
        serve: Callable[[socket.socket, str], None],
        *,
        most: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        self._socket = socket.create_server(where, family=family, reuse_port=False)
        self._serve, self._most, self._tls = serve, most, tls
        self._lock = threading.Lock()
        self._links: set[socket.socket] = set()
        self._closed = False
        threading.Thread(target=self._welcome, name="rtmp door", daemon=True).start()

    @property
    def port(self) -> int:
        """The port, also when 0 was asked for."""
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        """Hang up on everybody and free the port. From any thread, more than once."""
        with self._lock:
            self._closed = True
            links = list(self._links)
        for link in (self._socket, *links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _welcome(self) -> None:
        while not self._closed:
            try:
                link, address = self._socket.accept()
            except OSError:
                if self._closed:
                    return
                continue
            with self._lock:
                if self._closed or len(self._links) >= self._most:
                    link.close()
                    continue
                self._links.add(link)
            threading.Thread(target=self._attend, args=(link, address[0]), daemon=True).start()

    def _attend(self, link: socket.socket, address: str) -> None:
        try:
            if self._tls is None:
                self._serve(link, address)
            else:
                self._attend_secretly(self._tls, link, address)
        finally:
            with self._lock:
                self._links.discard(link)
            link.close()

    def _attend_secretly(self, tls: ssl.SSLContext, link: socket.socket, address: str) -> None:
        """TLS takes the connection over, so it must be known by its new name to be hung up on."""
        link.settimeout(HANDSHAKE_S)
        try:
            secret = tls.wrap_socket(link, server_side=True)
        except OSError:
            return
        with secret:
            with self._lock:
                self._links.discard(link)
                self._links.add(secret)
                closed = self._closed
            try:
                if not closed:
                    self._serve(secret, address)
            finally:
                with self._lock:
                    self._links.discard(secret)
