"""Server-sent events: what happens in the fleet, as it happens, resumable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from cloud_control.api.who import Who
from cloud_control.domain.access import OperatorToken, Role
from cloud_control.plane import Plane
from cloud_control.service.events import Event, Events

KEEP_ALIVE_S = 15.0
AT_ONCE = 500
POLL_MS = 5000


Follow = Callable[[Events, int], AsyncIterator[str]]
"""Makes the lines of an event stream, from the event after a number on."""


def router(plane: Plane, who: Who, follow: Follow) -> APIRouter:
    routes = APIRouter(prefix="/v1", tags=["events"])

    @routes.get("/events", response_class=StreamingResponse)
    async def events(
        _: OperatorToken = who.at_least(Role.VIEWER),
        last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
    ) -> StreamingResponse:
        """Each event is JSON under its kind; a `missed` event says that some are lost: ask anew."""
        after = int(last) if last and last.isdigit() else plane.events.newest
        return StreamingResponse(
            follow(plane.events, after),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


async def follow(events: Events, after: int) -> AsyncIterator[str]:
    """The lines of an event stream, from the event after that number on, without an end."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    forget = events.listen(lambda: loop.call_soon_threadsafe(news.set))
    try:
        yield "retry: 2000\n\n"
        while True:
            news.clear()
            found, whole = events.after(after)
            if not whole:
                yield "event: missed\ndata: {}\n\n"
            for event in found[:AT_ONCE]:
                yield _line(event)
                after = event.number
            if not whole and not found:
                after = events.newest
            if len(found) > AT_ONCE:
                continue
            try:
                await asyncio.wait_for(news.wait(), KEEP_ALIVE_S)
            except TimeoutError:
                yield ": still here\n\n"
    finally:
        forget()


async def polled(_events: Events, _after: int) -> AsyncIterator[str]:
    """For servers that cannot hold an answer open: it ends at once. Whoever follows is told how
    often to ask anew, and that events are missing."""
    yield f'retry: {POLL_MS}\n\nevent: poll\ndata: {{"ms":{POLL_MS}}}\n\n'
    yield "event: missed\ndata: {}\n\n"


def _line(event: Event) -> str:
    data = json.dumps(event.data, separators=(",", ":"))
    return f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n"
