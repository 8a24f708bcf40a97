"""How agents stand, in a store: for processes of which each hears only some messages, in any order.

One document a topic, as the broker retains it: messages of one agent rarely meet at one document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import Field

from cloud_control.domain.fleet import Kept
from cloud_control.ports import Store
from cloud_control.service.records import PAGE, Held, Shelf, retried
from cloud_control.service.standings import Standing, bare, veiled_share
from fleet_contract.codec import MESSAGES
from fleet_contract.fields import Message, Millis
from fleet_contract.reported import Reported
from fleet_contract.status import Status, overrules
from fleet_contract.stream_state import StreamState
from fleet_contract.telemetry import Telemetry
from fleet_contract.topics import ROOT, Address, Kind, parse_topic

KIND = "_standing"
REORDERED_MS = 10_000
"""For so long after a message an older one counts as late; beyond, the device's clock was set."""
HEARD_KEPT_MS = 2 * 24 * 3600 * 1000


class Note(Kept):
    """The newest message of a topic. message: JSON, empty once it was cleared; heard: its streams,
    and when each was last heard of."""

    message: str
    heard_at: Millis
    bare_at: Millis = 0
    veiled_share: float = 0.0
    heard: dict[str, Millis] = Field(default_factory=dict)


class StoredStandings:
    """See `Standings`. A message that comes after a newer one of its topic is no news."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = Shelf(store, KIND, Note)

    def of(self, fleet: str, agent: str) -> Standing:
        standing = Standing()
        for held in self._notes(fleet, agent):
            _add(standing, parse_topic(f"{ROOT}/{held.key}"), held.value)
        return standing

    def of_many(self, fleet: str, agents: Sequence[str]) -> dict[str, Standing]:
        found = {agent: Standing() for agent in agents}
        places = sorted(f"{fleet}/{agent}/" for agent in agents)
        page = self._shelf.page(f"{fleet}/", places[0], PAGE) if places else []
        while page:
            for held in page:
                agent = held.key.split("/", 2)[1]
                if agent in found:
                    _add(found[agent], parse_topic(f"{ROOT}/{held.key}"), held.value)
            over = page[-1].key > places[-1] and not page[-1].key.startswith(places[-1])
            page = [] if over else self._shelf.page(f"{fleet}/", page[-1].key, PAGE)
        return found

    def note(self, address: Address, message: Message, now_ms: int) -> bool:
        def after(before: Note | None) -> Note | None:
            old = _read(address, before) if before else None
            if before and old and _late(message, old, now_ms - before.heard_at):
                return None
            note = Note(message=message.model_dump_json(exclude_none=True), heard_at=now_ms)
            if isinstance(message, Telemetry):
                return note.model_copy(update=_told(before, old, message, now_ms))
            was_bare = isinstance(old, StreamState) and bare(old)
            bare_at = now_ms if was_bare else before.bare_at if before else 0
            return note.model_copy(update={"bare_at": bare_at})

        return self._change(address, after)

    def clear(self, address: Address, now_ms: int) -> bool:
        def after(before: Note | None) -> Note | None:
            if before is None or not before.message:
                return None
            old = _read(address, before)
            was_bare = isinstance(old, StreamState) and bare(old)
            bare_at = now_ms if was_bare else before.bare_at
            return before.model_copy(update={"message": "", "bare_at": bare_at})

        return self._change(address, after)

    def forget(self, fleet: str, agent: str) -> None:
        for held in self._notes(fleet, agent):

            def work(key: str = held.key) -> None:
                there = self._shelf.get(key)
                if there is not None:
                    self._store.commit([self._shelf.delete(key, there.revision)])

            retried(work)

    def _notes(self, fleet: str, agent: str) -> list[Held[Note]]:
        found: list[Held[Note]] = []
        page = self._shelf.page(f"{fleet}/{agent}/", limit=PAGE)
        while page:
            found += page
            full = len(page) == PAGE
            page = self._shelf.page(f"{fleet}/{agent}/", page[-1].key, PAGE) if full else []
        return found

    def _change(self, address: Address, after: Callable[[Note | None], Note | None]) -> bool:
        """Whether there was anything to change."""
        key = str(address).removeprefix(f"{ROOT}/")

        def work() -> bool:
            held = self._shelf.get(key)
            note = after(held.value if held else None)
            if note is None:
                return False
            self._store.commit([self._shelf.put(key, note, held.revision if held else 0)])
            return True

        return retried(work)


def _add(standing: Standing, address: Address, note: Note) -> None:
    message = _read(address, note)
    standing.heard_at = max(standing.heard_at, note.heard_at)
    if isinstance(message, Status):
        standing.status, standing.status_heard_at = message, note.heard_at
    elif isinstance(message, Reported):
        standing.reported = message
    elif isinstance(message, Telemetry):
        standing.telemetry, standing.veiled_share = message, note.veiled_share
        for stream, at in note.heard.items():
            _heard(standing, stream, at)
    elif address.kind is Kind.STREAM_STATE:
        if isinstance(message, StreamState):
            standing.streams[address.name] = message
        _heard(standing, address.name, note.heard_at)
        if note.bare_at:
            standing.bare_at[address.name] = note.bare_at


def _heard(standing: Standing, stream: str, at: int) -> None:
    standing.stream_heard_at[stream] = max(standing.stream_heard_at.get(stream, 0), at)


def _read(address: Address, note: Note) -> Message | None:
    return MESSAGES[address.kind].model_validate_json(note.message) if note.message else None


def _late(new: Message, old: Message, since_ms: int) -> bool:
    """Whether a message was overtaken by the one that is kept."""
    if isinstance(new, Status) and isinstance(old, Status):
        return not overrules(new, old)
    if since_ms > REORDERED_MS:
        return False
    return _age(new) < _age(old)


def _age(message: Message) -> tuple[int, int]:
    return getattr(message, "connection", 0), getattr(message, "at", 0)


def _told(
    before: Note | None, old: Message | None, new: Telemetry, now_ms: int
) -> dict[str, object]:
    """What telemetry adds up to, with the one before it."""
    heard = {
        stream: at
        for stream, at in (before.heard if before else {}).items()
        if now_ms - at < HEARD_KEPT_MS
    }
    return {
        "heard": heard | {stream.id: now_ms for stream in new.streams},
        "veiled_share": veiled_share(old if isinstance(old, Telemetry) else None, new),
    }
