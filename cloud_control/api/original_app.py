"""The original app's HTTP contract: its paths, its fields, its 200 for whatever happens."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from cloud_control.api.who import address_of
from cloud_control.domain.categories import ALL
from cloud_control.errors import ControlError, RequestError
from cloud_control.service.original_app import OriginalApp, Shown

JSON = "application/json; charset=utf-8"
CONSENT = (
    "the mosaic stays until its owner consents on the gateway: "
    "veilcast consent give {stream} mosaic --minutes 30"
)


def create_original_app(service: OriginalApp) -> FastAPI:
    """An application of its own, for a port of its own: nobody has to say who they are here."""
    app = FastAPI(openapi_url=None)

    @app.exception_handler(ControlError)
    async def _refused(_: Request, error: ControlError) -> Response:
        known = isinstance(error, RequestError)
        return _answer({"result": "false", "message": str(error) if known else "try again later"})

    @app.get("/streamings")
    @app.get("/processes")
    def streamings(category: str = "") -> Response:
        """`/processes` is what older apps ask."""
        found = service.all(_category(category))
        return _answer({"list": [_fields(one) for one in found]})

    @app.post("/streaming")
    def start(request: Request, title: str = "", category: str = "") -> Response:
        made = service.start(title, _category(category), address_of(request))
        return _answer({"result": "true", "streaming": _fields(made)})

    @app.get("/streaming/{number}")
    @app.get("/mosaic/{number}")
    def running(number: str) -> Response:
        """`/mosaic` began the hiding; here nothing leaves that is not protected, before or
        after."""
        return _answer({"result": "true" if service.running(number) else "false"})

    @app.get("/mosaic/{switch}/{number}")
    def mosaic(request: Request, switch: str, number: str) -> Response:
        if switch not in {"on", "off"}:
            raise RequestError("the mosaic is switched on or off")
        on = switch == "on"
        waits = service.mosaic(number, address_of(request), on=on)
        more = {"message": CONSENT.format(stream=waits)} if waits else {}
        return _answer({"result": "true", "mosaic": on, **more})

    @app.get("/release/{number}")
    def release(request: Request, number: str) -> Response:
        service.release(number, address_of(request))
        return _answer({"result": "true", "id": number})

    return app


def _fields(one: Shown) -> dict[str, Any]:
    began = datetime.fromtimestamp(one.since // 1000).astimezone().replace(tzinfo=None)
    return {
        "streaming_id": one.id,
        "streaming_title": one.stream.title,
        "streaming_category": str(one.stream.category),
        "streaming_start_time": began.isoformat(),
    }


def _category(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else ALL


def _answer(fields: dict[str, Any]) -> Response:
    """Clients of that time take text for Latin-1 unless they are told."""
    return Response(json.dumps(fields, ensure_ascii=False).encode(), media_type=JSON)
