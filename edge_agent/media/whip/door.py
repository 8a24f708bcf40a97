"""The HTTP endpoint at which a browser, a phone or OBS offers its camera (WHIP, RFC 9725)."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import socket
import ssl
import threading
from urllib.parse import urlsplit

import structlog
import uvicorn
from aiortc import RTCCertificate
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edge_agent.errors import SourceError
from edge_agent.media.failure import in_words
from edge_agent.media.whip.peer import OfferError, Peer
from edge_agent.media.whip.terms import Terms

LARGEST_OFFER = 64 * 1024
ANSWER_S = 10.0
GOODBYE_S = 5.0
MOST_CALLERS = 32
SDP = "application/sdp"
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = structlog.get_logger()


class Door:
    """Serves http(s)://HOST:PORT/APP/KEY from a thread of its own, for one publisher at a time.

    Raises SourceError when the address or the certificate cannot be used.
    """

    def __init__(self, url: str, terms: Terms) -> None:
        parts = urlsplit(url)
        self._app, _, key = parts.path.strip("/").rpartition("/")
        if not self._app or not key or not parts.hostname:
            raise SourceError(
                "cannot wait for a camera there: give listen:http://127.0.0.1:8889/whip/KEY with a "
                "name and a key"
            )
        self._key, self._terms = key, terms
        self._certificate = RTCCertificate.generateCertificate()
        self._fingerprint = next(
            one.value for one in self._certificate.getFingerprints() if one.algorithm == "sha-256"
        )
        self._lock = threading.Condition()
        self._session = self._former = ""
        self._active: Peer | None = None
        self._offered: Peer | None = None
        self._closed = False
        self._server = uvicorn.Server(_config(self._application(), parts.scheme == "https", terms))
        self._socket = _listen(
            parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        )
        for noisy in ("aiortc", "aioice"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        self._thread = threading.Thread(target=self._run, name="camera door", daemon=True)
        self._thread.start()
        terms.told(self._fingerprint.replace(":", "").lower())

    def accept(self) -> Peer:
        """Wait for a publisher. Raises SourceError once closed."""
        with self._lock:
            while self._offered is None and not self._closed:
                self._lock.wait()
            if self._offered is None:
                raise SourceError("the listener is closed")
            peer, self._offered = self._offered, None
            return peer

    def close(self) -> None:
        """Send the publisher away and free the port. From any thread, more than once."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self._server.should_exit = True
        self._thread.join(GOODBYE_S)
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        await self._server.serve(sockets=[self._socket])
        if self._active is not None:
            await self._active.hang_up()

    def _application(self) -> Starlette:
        app = f"/{self._app}"
        return Starlette(
            routes=[
                Route("/", _greet),
                Route(app, self._publish, methods=["POST"]),
                Route(f"{app}/{{key}}", self._publish, methods=["POST"]),
                Route(f"{app}/session/{{session}}", self._leave, methods=["DELETE"]),
            ],
            middleware=[
                Middleware(
                    CORSMiddleware,
                    allow_origins=self._terms.origins,
                    allow_methods=["POST", "DELETE"],
                    allow_headers=["authorization", "content-type"],
                    allow_private_network=True,
                    expose_headers=["location"],
                )
            ],
        )

    async def _publish(self, request: Request) -> Response:
        """201 with the answer, or a refusal in words."""
        refused = self._refusal(request)
        if refused is not None:
            return refused
        try:
            offer = await asyncio.wait_for(_body(request), ANSWER_S)
        except TimeoutError:
            return _no(408, "The offer did not come in time.")
        if offer is None:
            return _no(413, f"An offer has {LARGEST_OFFER} bytes at most.")
        session = secrets.token_urlsafe(16)
        if not self._admit(session):
            return _no(409, "Somebody is publishing already.", {"Retry-After": "5"})
        return await self._agree(offer, session)

    def _refusal(self, request: Request) -> Response | None:
        """What is wrong with who asks and how, before anything of the offer is read."""
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._terms.origins:
            log.warning("camera refused", reason="a page from elsewhere", origin=origin[:100])
            return _no(
                403,
                "This agent takes no camera from that page. Name its origin in the agent's "
                "settings: camera.origins.",
            )
        if not _same(request.path_params.get("key") or _bearer(request), self._key):
            log.warning("camera refused", reason="wrong key")
            return _no(401, "wrong key", {"WWW-Authenticate": "Bearer"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != SDP:
            return _no(415, f"An offer is {SDP}.")
        return None

    async def _agree(self, offer: bytes, session: str) -> Response:
        peer = Peer(self._certificate, lambda: self._forget(session))
        try:
            answer = await asyncio.wait_for(peer.answer(offer.decode(errors="replace")), ANSWER_S)
            if f"sha-256 {self._fingerprint}" not in answer:
                raise SourceError("this version of aiortc is not supported: update the agent")
        except (OfferError, TimeoutError, SourceError) as problem:
            log.warning("camera refused", reason=str(problem))
            await peer.hang_up()
            return _no(400, f"{str(problem) or 'no answer in time'}.")
        with self._lock:
            self._active = self._offered = peer
            self._lock.notify_all()
        log.info("publisher came", by="WebRTC")
        location = {"Location": f"/{self._app}/session/{session}"}
        return Response(answer, 201, {**HEADERS, **location}, media_type=SDP)

    async def _leave(self, request: Request) -> Response:
        """Also for who has just left by itself: its browser may have been quicker."""
        named = request.path_params["session"]
        with self._lock:
            peer = self._active if _same(named, self._session) else None
            former = _same(named, self._former)
        if peer is None and not former:
            return _no(404, "There is no such session.")
        if peer is not None:
            await peer.hang_up()
        return Response(status_code=200, headers=HEADERS)

    def _admit(self, session: str) -> bool:
        with self._lock:
            if self._session or self._closed:
                return False
            self._session = session
            return True

    def _forget(self, session: str) -> None:
        """The publisher of that session is gone: another one may come."""
        with self._lock:
            if self._session != session:
                return
            if self._active is not None:
                log.info("publisher left", by="WebRTC")
            self._former, self._session, self._active = session, "", None


async def _greet(_: Request) -> Response:
    """For people who look whether the agent is there, and to accept its certificate."""
    return PlainTextResponse("A Veilcast agent waits for a camera here.\n", headers=HEADERS)


def _no(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{why}\n", status, {**HEADERS, **(headers or {})})


def _same(given: str, secret: str) -> bool:
    """Whether it is the secret, without telling by the time that it takes; no secret: never."""
    return bool(secret) and hmac.compare_digest(given.encode(), secret.encode())


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


async def _body(request: Request) -> bytes | None:
    """The offer; None when it is too large."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_OFFER:
            return None
    return body


def _config(app: Starlette, secure: bool, terms: Terms) -> uvicorn.Config:
    if secure and (terms.certificate is None or terms.key is None):
        raise SourceError(
            "https needs a certificate: name its files as camera.certificate and camera.key"
        )
    config = uvicorn.Config(
        app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None,
        log_level="critical", access_log=False, server_header=False, limit_concurrency=MOST_CALLERS,
        timeout_graceful_shutdown=1,
        ssl_certfile=terms.certificate if secure else None,
        ssl_keyfile=terms.key if secure else None,
    )  # fmt: skip
    try:
        config.load()
    except (OSError, ssl.SSLError) as problem:
        raise SourceError(
            f"the certificate for https cannot be used: {in_words(problem)}"
        ) from None
    return config


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as problem:
        raise SourceError(
            f"cannot listen on {host}:{port}: {in_words(problem)}; is it in use?"
        ) from None
