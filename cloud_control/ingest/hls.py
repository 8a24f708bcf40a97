"""Serves playlists and segments to players."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse

from fleet_contract.fields import ID_PATTERN

PLAYLIST = "application/vnd.apple.mpegurl"
SEGMENT = "video/mp2t"

Stream = Annotated[str, InPath(pattern=ID_PATTERN)]
Name = Annotated[str, InPath(pattern=r"^(index\.m3u8|[0-9a-f-]{1,40}\.ts)$")]


def hls_router(folder: Path) -> APIRouter:
    """GET /hls/STREAM/index.m3u8 and the segments that it names. folder: has one for each stream.

    Names are of a fixed form, so that nothing else can be reached.
    """
    router = APIRouter(prefix="/hls", tags=["playback"])

    @router.get("/{stream}/{name}", response_class=FileResponse)
    def file(stream: Stream, name: Name) -> Response:
        """A playlist (to be asked for again) or a segment (which never changes)."""
        path = folder / stream / name
        if not path.is_file():
            raise HTTPException(404, "nothing plays here, or not yet")
        whole = name.endswith(".ts")
        headers = {
            "Cache-Control": "public, max-age=3600, immutable" if whole else "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if whole:
            return FileResponse(path, headers=headers, media_type=SEGMENT)
        # Read at once: it is replaced while it is served, and the new one has another length.
        return Response(path.read_bytes(), headers=headers, media_type=PLAYLIST)

    return router
