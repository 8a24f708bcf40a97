"""The web pages: plain files that load nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

WEB = Path(__file__).resolve().parents[1] / "web"
STUDIO = "studio.html"
PAGES = {
    "/": "index.html",
    "/watch/{stream}": "watch.html",
    "/fleet": "fleet.html",
    "/live": "live.html",
    "/live/{stream}": STUDIO,
}
KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])(:[0-9]{1,5})?")


def policy(*agents: str, playback: Sequence[str] = ()) -> str:
    """The Content-Security-Policy of a page that may also ask these agents' origins, and play what
    is at those."""
    reach, media = " ".join(("'self'", *playback, *agents)), " ".join(("'self'", *playback))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"media-src {media} blob:; connect-src {reach}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


HEADERS = {
    "Content-Security-Policy": policy(),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


def pages_router(playback: Sequence[str] = ()) -> APIRouter:
    """playback: origins besides this one at which streams play."""
    routes = APIRouter(include_in_schema=False)
    for path, name in PAGES.items():
        page = _studio if name == STUDIO else _page(name, policy(playback=playback))
        routes.add_api_route(path, page, methods=["GET", "HEAD"])

    parts = {path.name: path for path in WEB.iterdir() if path.suffix in KINDS}

    @routes.get("/web/{name}")
    def part(name: str) -> FileResponse:
        path = parts.get(name)
        if path is None:
            raise HTTPException(404, "there is no such part of a page")
        return FileResponse(path, media_type=KINDS[path.suffix], headers=HEADERS)

    return routes


def _studio(at: str = "") -> FileResponse:
    """The page that may use the camera; at: the origin of the one agent that it may ask."""
    agents = (at,) if ORIGIN.fullmatch(at) else ()
    headers = {
        **HEADERS,
        "Content-Security-Policy": policy(*agents),
        "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    }
    return FileResponse(WEB / STUDIO, media_type="text/html", headers=headers)


def _page(name: str, policy: str) -> Callable[[], FileResponse]:
    headers = {**HEADERS, "Content-Security-Policy": policy}

    def page() -> FileResponse:
        return FileResponse(WEB / name, media_type="text/html", headers=headers)

    return page
