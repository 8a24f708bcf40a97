"""Both ends of a TCP connection to the agent: one that keeps what it gets, one that sends badly."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path


class Receiver:
    """Keeps what each connection brings in a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.files: list[Path] = []
        self._folder = folder
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        return len(self.files)

    def received(self, connection: int) -> int:
        """Bytes that the connection of this number, from 1, has brought so far."""
        return self.files[connection - 1].stat().st_size if connection <= len(self.files) else 0

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._server.accept()
            except OSError:
                return
            path = self._folder / f"received{len(self.files) + 1}.ts"
            with link, path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                self.files.append(path)
                while data := link.recv(65536):
                    file.write(data)


class Sender:
    """Serves its first connection with `send`, and hangs up on all others."""

    def __init__(self, send: Callable[[socket.socket], None]) -> None:
        self._send = send
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            link, _ = self._server.accept()
            with link, contextlib.suppress(OSError):
                self._send(link)
            while True:
                self._server.accept()[0].close()
