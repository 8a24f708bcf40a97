"""A server in front of moto's, in which tests put faults and what moto does not know."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from tests.cloud_control.aws.moto_server import Cloud
from tests.cloud_control.brokers import HOST

HOP = frozenset(
    {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}
)

OWN = frozenset({"connection", "expect", "content-length"})


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """What a client asks of AWS."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    forward: Callable[[bytes], Answer]

    def send(self) -> Answer:
        """Let moto answer."""
        return self.forward(self.body)

    def send_as(self, body: Mapping[str, Any]) -> Answer:
        """Let moto answer something else."""
        return self.forward(json.dumps(body).encode())

    @property
    def action(self) -> str:
        """Of DynamoDB and Secrets Manager, such as TransactWriteItems; empty for others."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body or b"{}"))


Rule = Callable[[Call], Answer | None]
"""None: it is none of this rule's."""


def fault(status: int, code: str, **more: Any) -> Answer:
    """As AWS's JSON services tell of an error."""
    body = {"__type": f"com.amazonaws#{code}", "message": code, "Message": code, **more}
    return Answer(status, json.dumps(body).encode(), {"x-amzn-ErrorType": code})


def answer(**fields: Any) -> Answer:
    return Answer(200, json.dumps(fields).encode(), {"Content-Type": "application/json"})


@dataclass
class Front:
    """rules: asked in turn before moto is; calls: all that was asked."""

    cloud: Cloud
    rules: list[Rule] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        for rule in list(self.rules):
            found = rule(call)
            if found is not None:
                return found
        return call.send()

    def faults(self, count: int, action: str, made: Answer) -> list[Call]:
        """Answer the next so many calls of an action so; those are what is returned."""
        hit: list[Call] = []

        def rule(call: Call) -> Answer | None:
            if call.action != action or len(hit) >= count:
                return None
            hit.append(call)
            return made

        self.rules.append(rule)
        return hit


@contextmanager
def fronted(moto: Cloud) -> Iterator[Front]:
    with httpx.Client(base_url=moto.url, timeout=30.0) as client:
        front = Front(moto)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}

                def send(body: bytes) -> Answer:
                    kept = {n: v for n, v in headers.items() if n not in OWN}
                    found = client.request(self.command, self.path, headers=kept, content=body)
                    told = {n: v for n, v in found.headers.items() if n.lower() not in HOP}
                    if self.command == "HEAD":
                        told["X-Length"] = found.headers.get("Content-Length", "0")
                    return Answer(found.status_code, found.content, told)

                told = front.handle(Call(self.command, self.path, headers, body, send))
                self.send_response(told.status)
                for name, value in told.headers.items():
                    if name.lower() != "content-encoding":
                        self.send_header(name, value)
                length_told = told.headers.get("X-Length", str(len(told.body)))
                self.send_header("Content-Length", length_told)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(told.body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815

            def log_message(self, *_: object) -> None: ...

            def handle(self) -> None:
                with suppress(ConnectionError):  # of a client that gave up waiting
                    super().handle()

        with ThreadingHTTPServer((HOST, 0), Handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            front.cloud = Cloud(f"http://{HOST}:{server.server_address[1]}")
            try:
                yield front
            finally:
                server.shutdown()
                thread.join()
