"""The local HTTP server of a live stream: panic, state, metrics and the preview page."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edge_agent.errors import SettingsError
from edge_agent.http_guard import Guard
from edge_agent.live_state import LiveState
from edge_agent.metrics import StreamMetrics

LOOPBACK = "127.0.0.1"
PREVIEW_FPS = 12
EVENT_SECONDS = 0.4
GOODBYE_SECONDS = 5
BOUNDARY = "veilcast-frame"
PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"

_WEB = Path(__file__).resolve().parent / "web"

log = structlog.get_logger()


class LocalApi:
    """Serves on 127.0.0.1 alone, from a thread of its own, until `close`.

    `port` 0 takes any free one; `url` says which it is. Raises SettingsError when the port cannot
    be used.
    """

    def __init__(self, state: LiveState, port: int) -> None:
        self._state = state
        self._metrics = StreamMetrics(state)
        self._closing = False
        self._socket = listen_on_loopback(port)
        self.url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}/"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app(), loop="asyncio", http="h11", ws="none", lifespan="off",
                log_config=None, log_level="critical", access_log=False, server_header=False,
                timeout_graceful_shutdown=2,
            )
        )  # fmt: skip
        self._thread = threading.Thread(target=self._serve, name="local api", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End every open connection and stop."""
        self._closing = True
        self._server.should_exit = True
        self._thread.join(GOODBYE_SECONDS)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def _app(self) -> Starlette:
        def page(path: str, file: str) -> Route:
            async def serve(_: Request) -> Response:
                return FileResponse(_WEB / file)

            return Route(path, serve)

        return Starlette(
            routes=[
                page("/", "preview.html"),
                page("/preview.css", "preview.css"),
                page("/preview.js", "preview.js"),
                page("/icon.svg", "icon.svg"),
                Route("/healthz", self._healthz),
                Route("/state", self._show_state),
                Route("/metrics", self._show_metrics),
                Route("/events", self._events),
                Route("/video.mjpeg", self._video),
                Route("/panic", self._panic, methods=["POST"]),
                Route("/release", self._release, methods=["POST"]),
                Route("/veil", self._veil, methods=["POST"]),
                Route("/unveil", self._unveil, methods=["POST"]),
            ],
            middleware=[Middleware(Guard)],
        )

    async def _healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _show_state(self, _: Request) -> Response:
        return JSONResponse(self._state.document())

    async def _show_metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), headers={"Content-Type": PROMETHEUS_TEXT})

    async def _panic(self, _: Request) -> Response:
        log.warning("panic", by="local page or call")
        self._state.stream.gate.panic()
        self._state.stream.wake()
        return JSONResponse(self._state.document())

    async def _release(self, _: Request) -> Response:
        log.warning("panic_released", by="local page or call")
        self._state.stream.gate.release()
        self._state.stream.wake()
        return JSONResponse(self._state.document())

    async def _veil(self, _: Request) -> Response:
        log.warning("veiled", by="local page or call")
        self._state.stream.gate.veil(True)
        return JSONResponse(self._state.document())

    async def _unveil(self, _: Request) -> Response:
        log.warning("unveiled", by="local page or call")
        self._state.stream.gate.veil(False)
        return JSONResponse(self._state.document())

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(self._state_changes(), media_type="text/event-stream")

    async def _video(self, request: Request) -> Response:
        outlines = request.query_params.get("outlines") == "1"
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        return StreamingResponse(self._pictures(outlines=outlines), media_type=kind)

    async def _state_changes(self) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        while not self._closing:
            yield f"data: {json.dumps(self._state.document())}\n\n".encode()
            await asyncio.sleep(EVENT_SECONDS)

    async def _pictures(self, *, outlines: bool) -> AsyncIterator[bytes]:
        """Each new picture followed by a boundary at once: browsers show it when that has come."""
        feed, last = self._state.feed, None
        yield f"--{BOUNDARY}\r\n".encode()
        while not self._closing:
            newest = feed.newest
            if newest is not None and newest is not last:
                last = newest
                jpeg = await run_in_threadpool(feed.jpeg, newest, outlines=outlines)
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                yield head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()
            await asyncio.sleep(1 / PREVIEW_FPS)


def listen_on_loopback(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1. Raises SettingsError when the port cannot be used."""
    listener = socket.socket()
    try:
        # Not on Windows: there the option would let two programs share one port.
        if hasattr(socket, "SO_REUSEPORT"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"port {port} of this machine cannot be used ({error.strerror}): "
            "choose another with --port, or 0 for any"
        ) from error
    return listener
