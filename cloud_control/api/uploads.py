"""Where devices put what they could not send live: tickets, offsets, bytes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Protocol
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.requests import ClientDisconnect

from cloud_control.api.body import body_of, described
from cloud_control.service.uploads import Standing, Tickets, UploadRefusedError, Uploads, Wanted
from fleet_contract.fields import Id, Millis, Ordinal, Part, Sha256

PREFIX = "/v1/device/uploads"
RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")


class Device(Protocol):
    """Who a request comes from, as proved by it."""

    @property
    def fleet(self) -> str: ...
    @property
    def agent(self) -> str: ...


class UploadRequest(Part):
    """What a device wants to upload. Times in ms: first and last on the stream's own clock."""

    stream: Id
    name: Annotated[str, Field(min_length=1, max_length=200)]
    bytes: Ordinal
    sha256: Sha256
    first_ms: Millis = 0
    last_ms: Millis = 0
    started_at: Millis = 0


class UploadTicket(Part):
    """PUT the bytes to `url`, with these headers. resumable: HEAD tells how much is here already,
    and the rest may follow with Content-Range."""

    url: str
    method: str = "PUT"
    headers: dict[str, str] = Field(default_factory=dict)
    resumable: bool = True


def uploads_router(uploads: Uploads, device: Callable[..., Any]) -> APIRouter:
    """The routes below /v1/device/uploads. device: a dependency that yields a `Device`, or refuses
    the request."""
    router = APIRouter(prefix=PREFIX, tags=["uploads"], route_class=_Route)
    who_asks = Depends(device)

    @router.post("", status_code=201, openapi_extra=described(UploadRequest))
    def ask(who: Any = who_asks, wanted: UploadRequest = body_of(UploadRequest)) -> UploadTicket:
        """Announce an upload; asking again for the same one goes on with it."""
        uploads.expect(who.fleet, who.agent, _wanted(wanted))
        return UploadTicket(url=f"{PREFIX}/{quote(wanted.stream)}/{quote(wanted.name)}")

    @router.head("/{stream}/{name}")
    def how_far(stream: str, name: str, who: Any = who_asks) -> Response:
        """How much of it is here: Upload-Offset, Upload-Complete and, once whole, Repr-Digest."""
        standing = uploads.standing(who.fleet, who.agent, stream, name)
        return Response(headers=_headers(standing))

    @router.put("/{stream}/{name}")
    async def put(stream: str, name: str, request: Request, who: Any = who_asks) -> Response:
        """Take the bytes, from the offset that Content-Range names. 201: it is here whole, with the
        checksum of Repr-Digest. 202: so far so good."""
        offset = _offset(request.headers.get("Content-Range"))
        with uploads.intake(who.fleet, who.agent, stream, name, offset) as intake:
            try:
                async for piece in request.stream():
                    await run_in_threadpool(intake.append, piece)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it; what came is kept
            standing = await run_in_threadpool(intake.finish)
        return Response(status_code=201 if standing.complete else 202, headers=_headers(standing))

    return router


def tickets_router(tickets: Tickets, device: Callable[..., Any]) -> APIRouter:
    """The same door where the bytes go elsewhere: each ticket is for a whole upload."""
    router = APIRouter(prefix=PREFIX, tags=["uploads"], route_class=_Route)
    who_asks = Depends(device)

    @router.post("", status_code=201, openapi_extra=described(UploadRequest))
    def ask(who: Any = who_asks, wanted: UploadRequest = body_of(UploadRequest)) -> UploadTicket:
        """Announce an upload; asking again for the same one begins anew."""
        made = tickets.ticket(who.fleet, who.agent, _wanted(wanted))
        return UploadTicket(url=made.url, headers=made.headers, resumable=False)

    return router


def _wanted(asked: UploadRequest) -> Wanted:
    return Wanted(
        asked.stream, asked.name, asked.bytes, asked.sha256,
        asked.first_ms, asked.last_ms, asked.started_at,
    )  # fmt: skip


class _Route(APIRoute):
    """Refusals as problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except UploadRefusedError as error:
                body = {"title": "upload refused", "status": error.status, "detail": str(error)}
                headers = {} if error.offset is None else {"Upload-Offset": str(error.offset)}
                return JSONResponse(
                    body, error.status, headers, media_type="application/problem+json"
                )

        return handled


def _offset(content_range: str | None) -> int:
    if content_range is None:
        return 0
    found = RANGE.fullmatch(content_range)
    if found is None:
        raise UploadRefusedError(400, "Content-Range must be: bytes FIRST-LAST/ALL")
    return int(found.group(1))


def _headers(standing: Standing) -> dict[str, str]:
    headers = {
        "Upload-Offset": str(standing.offset),
        "Upload-Complete": f"?{int(standing.complete)}",
        "Cache-Control": "no-store",
    }
    if standing.complete:
        digest = base64.b64encode(bytes.fromhex(standing.wanted.sha256)).decode()
        headers["Repr-Digest"] = f"sha-256=:{digest}:"
    return headers
