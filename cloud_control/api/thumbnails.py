"""Small pictures of live streams, out of the protected video that viewers are served."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response

from cloud_control.ingest.stills import Stills
from cloud_control.service.directory import Directory
from fleet_contract.fields import Id

MAX_AGE_S = 5

Known = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]


def thumbnails_router(directory: Directory, stills: Stills) -> APIRouter:
    """Needs no token: what it shows is what anybody may watch."""
    routes = APIRouter(prefix="/v1", tags=["directory"])

    @routes.get("/directory/{stream}/thumbnail.jpg", response_class=Response)
    def thumbnail(stream: Id, known: Known = None) -> Response:
        """A JPEG of the last seconds; 404 before the first, and once the stream is not live."""
        found = stills.of(stream)
        if found is None or not directory.get(stream).live:
            raise HTTPException(404, "there is no picture of this stream now")
        headers = {
            "ETag": f'"{found.version}"',
            "Cache-Control": f"public, max-age={MAX_AGE_S}",
            "X-Content-Type-Options": "nosniff",
        }
        if known is not None and headers["ETag"] in known:
            return Response(status_code=304, headers=headers)
        return Response(found.jpeg, media_type="image/jpeg", headers=headers)

    return routes
