"""Keeps other web pages away from the local server, though the same browser can reach it."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
OWN_SITES = frozenset({"same-origin", "none"})

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware: refuses what a page from elsewhere could send, and adds strict headers.

    A name that was rebound to 127.0.0.1 shows in Host; a form or script of another site shows in
    Origin or Sec-Fetch-Site.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refused = _refused(scope["method"], Headers(scope=scope))
        await (refused or self._app)(scope, receive, send_with_headers)


def _refused(method: str, headers: Headers) -> PlainTextResponse | None:
    host = headers.get("host", "")
    if _hostname(host) not in LOOPBACK_NAMES:
        return PlainTextResponse("Ask for 127.0.0.1 or localhost.\n", 421)
    if method == "POST":
        origins = headers.getlist("origin")
        foreign = any(origin != f"http://{host}" for origin in origins)
        if foreign or headers.get("sec-fetch-site", "none") not in OWN_SITES:
            return PlainTextResponse("Only this agent's own page may do that.\n", 403)
    elif method != "GET":
        return PlainTextResponse("Only GET and POST.\n", 405, {"Allow": "GET, POST"})
    return None


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
