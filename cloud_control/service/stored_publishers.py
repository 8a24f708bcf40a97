"""Who publishes what, in a store: for ingest hooks that each come to another process.

Coarser than `Publishers`: sessions are renewed at every other call or so, and that segments come is
taken from the time of the media going on, since nobody here sees playlists.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from cloud_control.domain.fleet import Kept
from cloud_control.errors import ConflictError
from cloud_control.ingest.port import Asked, Event, Granted, Kind, MayPublish, OnEvent, Refused
from cloud_control.ports import Clock, Store
from cloud_control.service.records import Held, Shelf, retried
from fleet_contract.fields import Id, Millis

KIND = "_publisher"
SESSIONS = "_session"
BUSY = Refused("somebody is publishing this stream already")
WRONG_NAME = Refused("the stream key must be STREAM?key=KEY")
LINGER_MS = 30_000
"""How long a publisher that is gone may take to return before its stream ends."""
PAGE = 500


class _Publisher(Kept):
    """until: when it is taken for gone unless it is renewed; mark: how far its media had come at
    first; voucher: what its key was, as `voucher` says it; gone: it left, and may return."""

    session: str
    until: Millis
    voucher: str
    mark: str = ""
    playing: bool = False
    gone: bool = False


class _Place(Kept):
    stream: Id


class StoredPublishers:
    """Of one fleet. voucher: a text that changes when a stream's key does, None when nobody may
    publish it any more. From any thread."""

    def __init__(
        self,
        store: Store,
        fleet: str,
        may_publish: MayPublish,
        voucher: Callable[[str], str | None],
        tell: OnEvent,
        clock: Clock,
    ) -> None:
        self._store, self._fleet, self._clock = store, fleet, clock
        self._may_publish, self._voucher, self._tell_of = may_publish, voucher, tell
        self._publishers = Shelf(store, KIND, _Publisher)
        self._places = Shelf(store, SESSIONS, _Place)

    def enter(
        self, session: str, asked: Asked, lease_s: float = 86_400.0, *, by_name: bool = False
    ) -> Granted | Refused:
        answer = self._may_publish(asked)
        if isinstance(answer, Refused):
            return answer
        if by_name and answer.stream != asked.name:
            return WRONG_NAME
        held, place = self._of(answer.stream), self._places.get(self._place(session))
        now_ms = self._clock()
        there = held is not None and not held.value.gone and held.value.until > now_ms
        if there and held is not None and held.value.session != session:
            return BUSY
        fresh = _Publisher(
            session=session,
            until=now_ms + int(lease_s * 1000),
            voucher=self._voucher(answer.stream) or "",
        )
        put = self._publishers.put(self._key(answer.stream), fresh, held.revision if held else 0)
        noted = _Place(stream=answer.stream)
        where = self._places.put(self._place(session), noted, place.revision if place else 0)
        try:
            self._store.commit([put, where])
        except ConflictError:
            return BUSY
        self._tell(Kind.PUBLISH, answer.stream)
        return answer

    def leave(self, session: str) -> None:
        held = self._by(session)
        if held is not None and held.value.session == session:
            self._leave(held)
        place = self._places.get(self._place(session))
        if place is not None:
            retried(lambda: self._forget(place))

    def leave_stream(self, stream: str) -> None:
        held = self._of(stream)
        if held is not None:
            self._leave(held)

    def renew(self, session: str, lease_s: float) -> bool | None:
        held = self._by(session)
        if held is None or held.value.gone or held.value.session != session:
            return None
        if self._voucher(_stream(held)) != held.value.voucher:
            return False
        now_ms = self._clock()
        if held.value.until - now_ms < lease_s * 500:
            self._change(held, until=now_ms + int(lease_s * 1000))
        return True

    def heard(self, session: str, mark: str = "") -> None:
        held = self._by(session)
        if held is None or held.value.playing or held.value.session != session:
            return
        if not held.value.mark and mark:
            self._change(held, mark=mark)
        elif mark != held.value.mark and self._change(held, playing=True):
            self._tell(Kind.PLAYABLE, _stream(held))

    def publishing(self) -> frozenset[str]:
        now_ms = self._clock()
        return frozenset(
            _stream(held)
            for held in self._all()
            if not held.value.gone and held.value.until > now_ms
        )

    def sweep(self) -> None:
        """End what nobody renews and nobody came back to; to be called on a tick."""
        now_ms = self._clock()
        for held in self._all():
            if held.value.gone and held.value.until + LINGER_MS < now_ms:
                self._store.commit([self._publishers.delete(held.key, held.revision)])
                self._tell(Kind.ENDED, _stream(held))
            elif not held.value.gone and held.value.until < now_ms:
                self._leave(held)

    def _leave(self, held: Held[_Publisher]) -> None:
        if not held.value.gone and self._change(held, gone=True, until=self._clock()):
            self._tell(Kind.PUBLISH_DONE, _stream(held))

    def _change(self, held: Held[_Publisher], **changes: object) -> bool:
        """False if somebody else did something meanwhile, which then counts."""
        changed = held.value.model_copy(update=changes)
        try:
            self._store.commit([self._publishers.put(held.key, changed, held.revision)])
        except ConflictError:
            return False
        return True

    def _forget(self, place: Held[_Place]) -> None:
        there = self._places.get(place.key)
        if there is not None:
            self._store.commit([self._places.delete(there.key, there.revision)])

    def _by(self, session: str) -> Held[_Publisher] | None:
        place = self._places.get(self._place(session))
        return self._of(place.value.stream) if place else None

    def _of(self, stream: str) -> Held[_Publisher] | None:
        return self._publishers.get(self._key(stream))

    def _all(self) -> list[Held[_Publisher]]:
        found: list[Held[_Publisher]] = []
        after = ""
        while page := self._publishers.page(f"{self._fleet}/", after, PAGE):
            found += page
            after = page[-1].key
        return found

    def _tell(self, kind: Kind, stream: str) -> None:
        self._tell_of(Event(kind, stream, self._clock() / 1000))

    def _key(self, stream: str) -> str:
        return f"{self._fleet}/{stream}"

    def _place(self, session: str) -> str:
        return f"{self._fleet}/{quote(session, safe='')[:200]}"


def _stream(held: Held[_Publisher]) -> str:
    return held.key.partition("/")[2]
