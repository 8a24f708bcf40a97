"""A file server with byte ranges over real HTTP, which can be told to misbehave."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


class Handler(BaseHTTPRequestHandler):
    """Serves `site.folder`, unless a fault of the site answers instead."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        try:
            for pattern, fault in self.server.faults.items():
                if re.search(pattern, self.path):
                    self.close_connection = True
                    fault(self)
                    return
            self.serve()
        except OSError:
            self.close_connection = True  # whoever asked has gone

    def serve(self) -> None:
        """The file, or the part of it that was asked for."""
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.answer(404, b"")
            return
        content = path.read_bytes()
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if found is None:
            self.answer(200, content)
            return
        start = int(found[1])
        part = content[start:]
        self.answer(206, part, f"bytes {start}-{len(content) - 1}/{len(content)}")

    def answer(self, status: int, body: bytes, content_range: str | None = None) -> None:
        self.begin(status, len(body), content_range)
        self.wfile.write(body)

    def begin(self, status: int, length: int | None, content_range: str | None = None) -> None:
        """Status and headers; without a length, the body lasts until the connection closes."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()

    def file(self) -> bytes:
        return (self.server.folder / self.path.lstrip("/")).read_bytes()

    def log_message(self, *_: object) -> None: ...


Fault = Callable[[Handler], None]


class Site(ThreadingHTTPServer):
    """`faults` by a pattern of the path; `requests` are paths and the ranges asked for."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.faults: dict[str, Fault] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.slow_ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=lambda: self.serve_forever(0.05), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.slow_ended.set()
        self.shutdown()
        self.server_close()


def cut_after(count: int) -> Fault:
    """Promise the whole file, or the whole rest, and hang up after `count` bytes."""

    def fault(handler: Handler) -> None:
        content = handler.file()
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        rest = content[start:]
        handler.begin(
            206 if start else 200,
            len(rest),
            f"bytes {start}-{len(content) - 1}/{len(content)}" if start else None,
        )
        handler.wfile.write(rest[:count])

    return fault


def send(body: bytes) -> Fault:
    """Send this instead, whatever was asked for."""
    return lambda handler: handler.answer(200, body)


def endless(handler: Handler) -> None:
    """Send zeros for as long as anyone reads."""
    handler.begin(200, None)
    while True:
        handler.wfile.write(bytes(65536))


def drip(handler: Handler) -> None:
    """Send a byte now and then, so that no single read times out."""
    handler.begin(200, 10**6)
    while not handler.server.slow_ended.wait(0.05):
        handler.wfile.write(b"x")
        handler.wfile.flush()


def redirect_to(url: str) -> Fault:
    """Point elsewhere."""

    def fault(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url + handler.path)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return fault
