"""The public directory: which streams play now, and how far each can be trusted to hide."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace

from cloud_control.domain.categories import ALL
from cloud_control.domain.fleet import Stream
from cloud_control.domain.listing import Badge, Flow, Listing, Word, listing
from cloud_control.errors import NotFoundError
from cloud_control.ingest.port import Event
from cloud_control.ports import Clock
from cloud_control.service.audience import Audience
from cloud_control.service.events import Events
from cloud_control.service.live import Live
from cloud_control.service.records import Shelf
from cloud_control.service.standings import bare

BEHIND_MS = 20_000
"""How far players may be behind the agent: for so long bare pictures are told of after the last."""
REMEMBERED_MS = 10 * 60_000
"""For so long a stream that ended can still be asked about."""
VIEWERS_MS = 3_000
"""How often a change of the number of viewers alone is told."""


class Directory:
    """Told by the ingest (`tell`), refreshed by `look`, asked from any thread.

    `events` tells what changed (added, changed, ended), each with the stream's listing. playback:
    where a stream plays, as the ingest says; thumbnail: where its small picture is, if it has one.
    """

    def __init__(
        self,
        fleet: str,
        streams: Shelf[Stream],
        live: Live,
        clock: Clock,
        playback: Callable[[str], str],
        thumbnail: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.events = Events(clock())
        self.audience = Audience(clock)
        self._fleet, self._streams, self._live, self._clock = fleet, streams, live, clock
        self._playback, self._thumbnail = playback, thumbnail
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._flows: dict[str, Flow] = {}
        self._shown: dict[str, Listing] = {}
        self._counted_at = 0

    def tell(self, event: Event) -> None:
        """What the ingest saw; `look` makes it known."""
        with self._lock:
            self._flows[event.stream] = self._flows.get(event.stream, Flow()).after(event)

    def seen(self, stream: str, *player: str) -> None:
        """A player asked for a stream's playlist; counted if it is listed."""
        if stream in self._shown:
            self.audience.seen(stream, *player)

    def look(self) -> None:
        """Look at all streams anew and tell what changed."""
        with self._looking:
            now_ms = self._clock()
            with self._lock:
                flows = dict(self._flows)
            count = now_ms - self._counted_at >= VIEWERS_MS
            if count:
                self._counted_at = now_ms
            for stream, flow in flows.items():
                if flow.over and now_ms - flow.changed > REMEMBERED_MS:
                    self._forget(stream, flow)
                else:
                    self._show(stream, self._look(stream, flow, count=count))

    def get(self, stream: str) -> Listing:
        """A stream that plays or did so lately. Raises NotFoundError."""
        found = self._shown.get(stream)
        if found is None:
            raise NotFoundError(f"no stream {stream} plays here")
        return found

    def page(self, after: str, limit: int, category: int = ALL, text: str = "") -> list[Listing]:
        """Live streams by id, after one of them, of a category, with a text in their title."""
        wanted = text.casefold().strip()
        found = [
            one
            for name, one in sorted(self._snapshot().items())
            if name > after
            and one.live
            and category in (ALL, one.category)
            and wanted in one.title.casefold()
        ]
        return found[:limit]

    def live_by_category(self) -> Counter[int]:
        """How many streams are live in each category that has any."""
        return Counter(one.category for one in self._snapshot().values() if one.live)

    def live_states(self) -> dict[str, Badge | None]:
        """The streams that are live, and what is told of their protection."""
        return {name: one.state for name, one in self._snapshot().items() if one.live}

    def ended_by_agent(self) -> list[str]:
        """Streams that their agents ended for good, while the ingest waits for their return."""
        with self._lock:
            waiting = {name for name, flow in self._flows.items() if not flow.over}
        return [
            name
            for name, one in self._snapshot().items()
            if name in waiting and not one.live and not one.may_return
        ]

    def _snapshot(self) -> dict[str, Listing]:
        with self._lock:
            return dict(self._shown)

    def _look(self, stream: str, flow: Flow, *, count: bool) -> Listing | None:
        before = self._shown.get(stream)
        held = self._streams.get(f"{self._fleet}/{stream}")
        if held is None:  # removed
            return before and replace(
                before, live=False, may_return=False, state=None, exceptions=False, viewers=0,
                thumbnail=None,
            )  # fmt: skip
        viewers = self.audience.count(stream) if count or before is None else before.viewers
        word = self._word(held.value)
        places = self._playback(stream), self._thumbnail(stream)
        return listing(held.value, flow, word, viewers, *places)

    def _word(self, stream: Stream) -> Word:
        standing = self._live.of(stream.fleet, stream.agent)
        state = standing.streams.get(stream.id)
        status, now_ms = standing.status, self._clock()
        return Word(
            state=state if state is not None and standing.current(state) else None,
            left=status is not None and (status.state, status.reason) == ("offline", "shutdown"),
            bare_lately=bare(state) or now_ms - standing.bare_at.get(stream.id, 0) < BEHIND_MS,
        )

    def _show(self, stream: str, now: Listing | None) -> None:
        if now is None:
            return
        with self._lock:
            before = self._shown.get(stream)
            self._shown[stream] = now
        if now == before:
            return
        if now.live and not (before and before.live):
            self.events.publish("added", asdict(now))
        elif now.live:
            self.events.publish("changed", asdict(now))
        elif before and (before.live or before.may_return != now.may_return):
            self.events.publish("ended", asdict(now))

    def _forget(self, stream: str, flow: Flow) -> None:
        with self._lock:
            if self._flows.get(stream) is flow:
                del self._flows[stream]
                self._shown.pop(stream, None)
        self.audience.forget(stream)
