"""The public directory in a store: each stream's listing is written when something of it changes,
and only read when somebody asks.

`look` is called after every change that may show, by whichever process made or heard it. Who writes
has read everything after the listing that it replaces: so of two at once, the later one has seen
all.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict

from cloud_control.domain.categories import ALL
from cloud_control.domain.fleet import Kept, Stream
from cloud_control.domain.listing import Badge, Listing, Word, listing
from cloud_control.errors import NotFoundError
from cloud_control.ports import Clock, Store
from cloud_control.service.directory import BEHIND_MS, REMEMBERED_MS
from cloud_control.service.events import Events
from cloud_control.service.flows import StoredFlows
from cloud_control.service.live import Live
from cloud_control.service.records import Held, Shelf, retried
from cloud_control.service.standings import bare
from fleet_contract.fields import Id, Millis

KIND = "_listing"
PAGE = 500
COUNTED_FOR_S = 10.0


class _Listed(Kept):
    """What `Listing` holds, but for what nobody knows here. bare_until: so long players may still
    show pictures that left bare, whatever the state is."""

    id: Id
    title: str
    category: int
    live: bool
    may_return: bool
    state: Badge | None
    exceptions: bool
    started_at: Millis
    playback: str
    changed: Millis
    bare_until: Millis = 0


class StoredDirectory:
    """Of one fleet; see `Directory`. From any thread."""

    def __init__(
        self,
        store: Store,
        fleet: str,
        streams: Shelf[Stream],
        live: Live,
        flows: StoredFlows,
        clock: Clock,
        playback: Callable[[str], str],
    ) -> None:
        self.events = Events(clock())
        self._store, self._fleet, self._streams = store, fleet, streams
        self._live, self._flows, self._clock, self._playback = live, flows, clock, playback
        self._shelf = Shelf(store, KIND, _Listed)
        self._count: tuple[float, Counter[int]] = float("-inf"), Counter()

    def look(self, stream: str) -> None:
        """Look at one stream anew."""
        key = f"{self._fleet}/{stream}"

        def work() -> None:
            held = self._shelf.get(key)  # first: see above
            now = self._now(stream, held.value if held else None)
            if now is None and held is not None:
                self._store.commit([self._shelf.delete(key, held.revision)])
            elif now is not None and (held is None or now != held.value):
                self._store.commit([self._shelf.put(key, now, held.revision if held else 0)])

        retried(work)

    def look_at_all(self) -> None:
        """In case that somebody was interrupted between a change and its look."""
        for stream in self._flows.all().keys() | {held.value.id for held in self._all()}:
            self.look(stream)

    def get(self, stream: str) -> Listing:
        """A stream that plays or did so lately. Raises NotFoundError."""
        held = self._shelf.get(f"{self._fleet}/{stream}")
        if held is None:
            raise NotFoundError(f"no stream {stream} plays here")
        return self._shown(held.value)

    def page(self, after: str, limit: int, category: int = ALL, text: str = "") -> list[Listing]:
        """Live streams by id, after one of them, of a category, with a text in their title."""
        wanted, found = text.casefold().strip(), list[Listing]()
        for held in self._all(f"{self._fleet}/{after}" if after else ""):
            one = held.value
            fits = category in (ALL, one.category) and wanted in one.title.casefold()
            if one.live and fits:
                found.append(self._shown(one))
                if len(found) == limit:
                    break
        return found

    def live_by_category(self) -> Counter[int]:
        """How many streams are live in each category that has any, as of the last seconds."""
        at, count = self._count
        if time.monotonic() - at > COUNTED_FOR_S:
            count = Counter(held.value.category for held in self._all() if held.value.live)
            self._count = time.monotonic(), count
        return count

    def _now(self, stream: str, before: _Listed | None) -> _Listed | None:
        """None: there is nothing to tell of it any more."""
        flow, now_ms = self._flows.of(stream), self._clock()
        if flow is None or (flow.over and now_ms - flow.changed > REMEMBERED_MS):
            return None
        held = self._streams.get(f"{self._fleet}/{stream}")
        if held is None:  # removed
            gone = {"live": False, "may_return": False, "state": None, "exceptions": False}
            return before and before.model_copy(update=gone)
        word, bare_until = self._word(held.value)
        shown = listing(held.value, flow, word, 0, self._playback(stream), None)
        told = {
            name: value for name, value in asdict(shown).items() if name in _Listed.model_fields
        }
        return _Listed(**told, changed=flow.changed, bare_until=bare_until)

    def _word(self, stream: Stream) -> tuple[Word, int]:
        """The agent's part as it is now, and until when bare pictures are to be told of."""
        standing = self._live.of(stream.fleet, stream.agent)
        state, status = standing.streams.get(stream.id), standing.status
        word = Word(
            state=state if state is not None and standing.current(state) else None,
            left=status is not None and (status.state, status.reason) == ("offline", "shutdown"),
            bare_lately=bare(state),
        )
        bare_at = standing.bare_at.get(stream.id, 0)
        return word, bare_at + BEHIND_MS if bare_at else 0

    def _shown(self, kept: _Listed) -> Listing:
        found = kept.model_dump(exclude={"changed", "bare_until"})
        if kept.live and self._clock() < kept.bare_until:
            found["state"] = "OFF"
        return Listing(**found, viewers=0)

    def _all(self, after: str = "") -> Iterator[Held[_Listed]]:
        while page := self._shelf.page(f"{self._fleet}/", after, PAGE):
            yield from page
            after = page[-1].key
