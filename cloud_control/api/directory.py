"""What anybody may know: which streams play, in which categories, and how they are protected."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from cloud_control.api.agents import Page
from cloud_control.api.events import Follow, follow
from cloud_control.api.who import address_of
from cloud_control.domain.categories import ALL, CATEGORIES
from cloud_control.domain.listing import Listing
from cloud_control.errors import TooManyRequestsError
from cloud_control.ingest.hls import hls_router
from cloud_control.ingest.playlist import NAME
from cloud_control.service.directory import Directory
from cloud_control.service.events import Events
from fleet_contract.fields import Id

MOST_LISTENERS = 2_000
PLAYER_NAME = 40


class Listings(Protocol):
    """See `Directory`."""

    @property
    def events(self) -> Events: ...
    def get(self, stream: str) -> Listing: ...
    def page(self, after: str, limit: int, category: int, text: str) -> list[Listing]: ...
    def live_by_category(self) -> Counter[int]: ...


def directory_router(
    directory: Listings, follow: Follow = follow, good_for_s: int = 0
) -> APIRouter:
    """Nothing here needs a token, and nothing tells of agents, sources or keys. follow: how events
    are told; good_for_s: how long caches may answer in its place."""

    def cached(response: Response) -> None:
        if good_for_s:
            response.headers["Cache-Control"] = f"public, max-age={good_for_s}"

    routes = APIRouter(prefix="/v1", tags=["directory"], dependencies=[Depends(cached)])
    listeners: set[object] = set()

    @routes.get("/directory")
    def live(
        category: Annotated[int, Query(ge=0, le=1000)] = ALL,
        q: Annotated[str, Query(max_length=100)] = "",
        after: Annotated[str, Query(max_length=64)] = "",
        limit: Page = 100,
    ) -> dict[str, Any]:
        """Streams that are live, by id. `next`, if there is one, is the `after` of the next."""
        found = directory.page(after, limit, category, q)
        return {
            "streams": [asdict(one) for one in found],
            "next": found[-1].id if len(found) == limit else None,
        }

    @routes.get("/directory/events", response_class=StreamingResponse)
    async def events(
        last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
    ) -> StreamingResponse:
        """added, changed and ended, each with the stream as it is now; `missed` says that some are
        lost: ask anew."""
        if len(listeners) >= MOST_LISTENERS:
            raise TooManyRequestsError("too many listen to the directory; try again later")
        after = int(last) if last and last.isdigit() else directory.events.newest
        return StreamingResponse(
            told(after),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def told(after: int) -> AsyncIterator[str]:
        me = object()
        listeners.add(me)
        try:
            async for line in follow(directory.events, after):
                yield line
        finally:
            listeners.discard(me)

    @routes.get("/directory/{stream}")
    def one(stream: Id) -> dict[str, Any]:
        """A stream that is live or was so in the last minutes."""
        return asdict(directory.get(stream))

    @routes.get("/categories")
    def categories() -> dict[str, Any]:
        """All categories, and how many streams are live in each."""
        count = directory.live_by_category()
        return {
            "categories": [{**asdict(one), "live": count[one.id]} for one in CATEGORIES],
            "live": count.total(),
        }

    return routes


def playback_router(directory: Directory, folder: Path) -> APIRouter:
    """Playlists and segments below /hls; who asks for a playlist is counted as a viewer."""

    async def counted(
        request: Request, viewer: Annotated[str, Query(max_length=PLAYER_NAME)] = ""
    ) -> None:
        if request.path_params.get("name") == NAME:
            browser = request.headers.get("User-Agent", "")
            directory.seen(request.path_params["stream"], address_of(request), browser, viewer)

    routes = APIRouter(dependencies=[Depends(counted)])
    routes.include_router(hls_router(folder))
    return routes
