"""What RTMP servers ask the control plane: may this one publish, and who has left.

nginx-rtmp, MediaMTX and SRS each in their own notation. A key is never answered, logged or put into
an address.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from cloud_control.ingest.port import (
    APP,
    Asked,
    FrontDoor,
    Granted,
    Refused,
    Sessions,
    asked,
    first,
)

PREFIX = "/v1/ingest"
OUT = "live-out"
"""The application of nginx-rtmp that plays and cuts what was let in."""
LEASE_S = 10.0
"""How long nginx may be silent about a publisher; it speaks every `UPDATE_S`."""
UPDATE_S = 0.5
LARGEST = 1 << 16

Fields = dict[str, Any]


def hooks_router(
    publishers: Sessions, secret: str, relay: str, door: FrontDoor | None = None
) -> APIRouter:
    """The routes below /v1/ingest; each wants `?secret=` or `Authorization: Bearer`.

    relay: where nginx-rtmp finds its own application `OUT`, such as rtmp://127.0.0.1:1935/live-out.
    door: names that nginx-rtmp takes besides keys and public ids.
    """
    guard, body, fields = Depends(_Guard(secret)), Depends(_body), Depends(_object)
    router = APIRouter(prefix=PREFIX, tags=["ingest"], dependencies=[guard])

    @router.post("/nginx")
    def nginx(form: bytes = body) -> Response:
        """on_publish, on_publish_done, on_update and on_play of nginx-rtmp."""
        asks = parse_qs(form.decode("utf-8", "replace"))
        at_door = _at_door(door, publishers, asks) if door is not None else None
        return at_door or _nginx(publishers, secret, relay, asks)

    @router.post("/mediamtx")
    def mediamtx(asks: Fields = fields) -> Response:
        """MediaMTX's `authHTTPAddress`."""
        return _mediamtx(publishers, asks)

    @router.post("/mediamtx/done")
    def mediamtx_done(path: str) -> Response:
        """For MediaMTX's `runOnNotReady`: ?path=$MTX_PATH."""
        publishers.leave_stream(path.rpartition("/")[2])
        return Response()

    @router.post("/srs")
    def srs(asks: Fields = fields) -> Response:
        """on_publish, on_unpublish and on_play of SRS."""
        return _srs(publishers, asks)

    return router


def ticket(secret: str, stream: str) -> str:
    """Shows nginx's second application that it was the first that let the stream in."""
    return hmac.new(secret.encode(), f"relay {stream}".encode(), hashlib.sha256).hexdigest()


class _Guard:
    """Refuses whoever does not know the secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def __call__(self, request: Request) -> None:
        word, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = bearer if word == "Bearer" else request.query_params.get("secret", "")
        if not hmac.compare_digest(given.encode(), self._secret):
            raise HTTPException(403, "the secret of the ingest hooks is missing or wrong")


def _nginx(publishers: Sessions, secret: str, relay: str, form: dict[str, list[str]]) -> Response:
    call, name, app = (first(form, field) for field in ("call", "name", "app"))
    session = f"nginx {first(form, 'clientid')}"
    who = Asked(app, name, first(form, "key") or name, first(form, "addr"))
    if call == "play":
        return _verdict(name in publishers.publishing())
    if app == OUT:
        proof = first(form, "ticket").encode()
        return _verdict(
            call != "publish" or hmac.compare_digest(proof, ticket(secret, name).encode())
        )
    if call == "publish":
        answer = publishers.enter(session, who, LEASE_S)
        if isinstance(answer, Refused):
            return _verdict(False)
        there = f"{relay}/{answer.stream}?ticket={ticket(secret, answer.stream)}"
        return _elsewhere(there)
    if call == "update_publish":
        publishers.heard(session, first(form, "timestamp"))
        known = publishers.renew(session, LEASE_S)
        if known is None:  # we were started after it: it has been let in before
            known = isinstance(publishers.enter(session, who, LEASE_S), Granted)
        return _verdict(known)
    if call == "publish_done":
        publishers.leave(session)
    return _verdict(True)


def _at_door(door: FrontDoor, publishers: Sessions, form: dict[str, list[str]]) -> Response | None:
    """What nginx is told of those who come with a name of the door's; None: nobody does."""
    call, name, app = (first(form, field) for field in ("call", "name", "app"))
    session, address = f"nginx {first(form, 'clientid')}", first(form, "addr")
    if call == "publish_done":
        door.left(session)
    elif call == "play":
        stream = door.shown_as(name)
        if stream is not None and stream in publishers.publishing():
            return _elsewhere(stream)
    elif app != APP:
        return None
    elif call == "publish":
        there = door.push(session, name, address, LEASE_S)
        if there is not None:
            return _elsewhere(there)
    elif call == "update_publish" and door.goes_on(session, name, address, LEASE_S):
        return _verdict(True)
    return None


def _elsewhere(there: str) -> Response:
    """Another name, or with rtmp:// another server besides."""
    return Response(status_code=302, headers={"Location": there})


def _mediamtx(publishers: Sessions, fields: Fields) -> Response:
    app, _, name = str(fields.get("path", "")).rpartition("/")
    if fields.get("action") in {"read", "playback"}:
        return _verdict(name in publishers.publishing(), refused=401)
    if fields.get("action") != "publish":
        return _verdict(False, refused=401)
    query = parse_qs(str(fields.get("query", "")))
    key = first(query, "key") or str(fields.get("password") or fields.get("token") or "")
    who = Asked(app, name, key or name, str(fields.get("ip", "")))
    answer = publishers.enter(f"mediamtx {fields.get('id')}", who, by_name=True)
    return _verdict(isinstance(answer, Granted), refused=401)


def _srs(publishers: Sessions, fields: Fields) -> Response:
    session, name = f"srs {fields.get('client_id')}", str(fields.get("stream", ""))
    allowed = True
    match fields.get("action"):
        case "on_publish":
            parameters = str(fields.get("param", "")).removeprefix("?")
            who = asked(str(fields.get("app", "")), f"{name}?{parameters}", str(fields.get("ip")))
            allowed = isinstance(publishers.enter(session, who, by_name=True), Granted)
        case "on_unpublish":
            publishers.leave(session)
        case "on_play":
            allowed = name in publishers.publishing()
    return JSONResponse({"code": 0 if allowed else 1})


def _verdict(allowed: bool, refused: int = 403) -> Response:
    return Response(status_code=200 if allowed else refused)


async def _body(request: Request) -> bytes:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > LARGEST:
            raise HTTPException(413, "a hook's message is small")
    return data


async def _object(request: Request) -> Fields:
    try:
        fields = json.loads(await _body(request))
    except ValueError:
        raise HTTPException(400, "a hook's message is a JSON object") from None
    if not isinstance(fields, dict):
        raise HTTPException(400, "a hook's message is a JSON object")
    return fields
