"""A real HTTP server that takes PUT, with the manners and the faults of real ones."""

from __future__ import annotations

import base64
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Receipt = Literal["md5", "sha256", "json", "wrong", "none"]


class Shelf:
    """Keeps what it was given by its path.

    receipt: what it says of what it has. refuse: statuses to answer with, each once. cut_after:
    bytes of the next upload after which it hangs up, once.
    """

    def __init__(self, receipt: Receipt = "sha256") -> None:
        self.receipt: Receipt = receipt
        self.refuse: list[int] = []
        self.cut_after = 0
        self.got: dict[str, bytes] = {}
        self.order: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.received = 0
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                shelf.put(self)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/in"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def put(self, request: BaseHTTPRequestHandler) -> None:
        data = self._read(request)
        if data is None:
            return
        self.headers.append(dict(request.headers.items()))
        self.order.append(request.path)
        if self.refuse:
            self._answer(request, self.refuse.pop(0), {}, b"")
            return
        self.got[request.path] = data
        said = request.headers["Content-MD5"]
        assert said == base64.b64encode(hashlib.md5(data).digest()).decode()
        digest = hashlib.sha256(data)
        headers, body = {}, b""
        if self.receipt == "md5":
            headers["ETag"] = f'"{hashlib.md5(data).hexdigest()}"'
        elif self.receipt == "sha256":
            headers["x-amz-checksum-sha256"] = base64.b64encode(digest.digest()).decode()
        elif self.receipt == "json":
            body = f'{{"sha256": "{digest.hexdigest()}"}}'.encode()
        elif self.receipt == "wrong":
            headers["ETag"] = f'"{"0" * 32}"'
        self._answer(request, 200, headers, body)

    def _read(self, request: BaseHTTPRequestHandler) -> bytes | None:
        left, data = int(request.headers["Content-Length"]), b""
        while left:
            piece = request.rfile.read1(min(left, 1 << 14))
            if not piece:
                return None
            data, left = data + piece, left - len(piece)
            self.received += len(piece)
            if self.cut_after and len(data) >= self.cut_after:
                self.cut_after = 0
                request.close_connection = True
                request.connection.close()
                return None
        return data

    @staticmethod
    def _answer(
        request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
