"""A control plane's HTTP end, just enough for one device: real sockets, real checks of tokens."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography import x509

from edge_agent.fleet.control_plane import AUDIENCE
from tests.edge_agent.fleet.authority import Authority

TOKEN = "one-time-claim-token"


class ControlServer:
    """Enrols whoever has TOKEN, once; certifies whoever proves to be a device that it knows.

    `answers` replaces the answer to a path by (status, body).
    """

    def __init__(self, authority: Authority, broker_port: int = 8883) -> None:
        self.authority, self.broker_port = authority, broker_port
        self.spent: set[str] = set()
        self.keys: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        control = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                control.requests.append((self.path, body))
                status, content = control.answer(self.path, body, self.headers["Authorization"])
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: dict[str, Any], proof: str | None) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]
        if path == "/v1/enrol":
            return self._enrol(body)
        subject = self._subject(proof)
        if subject is None:
            return 401, b'{"title": "who are you?"}'
        return 200, json.dumps({"certificate": self._certify(subject, body["csr"])}).encode()

    def know(self, subject: str, certificate: bytes) -> None:
        self.keys[subject] = x509.load_pem_x509_certificate(certificate).public_key()

    def _enrol(self, body: dict[str, Any]) -> tuple[int, bytes]:
        if body["token"] != TOKEN or body["token"] in self.spent:
            return 403, json.dumps({"title": "refused", "detail": "token spent\x1b[2J"}).encode()
        self.spent.add(body["token"])
        agent = body.get("agent", "given-id")
        answer = {
            "fleet": "acme",
            "agent": agent,
            "certificate": self._certify(f"acme/{agent}", body["csr"]),
            "ca": self.authority.file.read_text(),
            "broker": {"host": "localhost", "port": self.broker_port},
            "models": {
                "metadata_url": f"{self.url}/models/metadata/",
                "targets_url": f"{self.url}/models/targets/",
                "root": {"signed": {"_type": "root"}, "signatures": []},
            },
            "a_field_of_tomorrow": True,
        }
        return 201, json.dumps(answer).encode()

    def _certify(self, subject: str, request: str) -> str:
        certificate = self.authority.sign_request(request.encode(), subject)
        self.know(subject, certificate)
        return certificate.decode()

    def _subject(self, proof: str | None) -> str | None:
        token = (proof or "").removeprefix("Bearer ")
        try:
            subject: str = jwt.decode(token, options={"verify_signature": False})["sub"]
            jwt.decode(token, self.keys[subject], algorithms=["ES256"], audience=AUDIENCE)
        except (jwt.InvalidTokenError, KeyError):
            return None
        return subject
