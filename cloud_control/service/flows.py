"""What the ingest told of each stream, in a store: told to one process, asked of another."""

from __future__ import annotations

from cloud_control.domain.fleet import Kept
from cloud_control.domain.listing import Flow
from cloud_control.ingest.port import Event
from cloud_control.ports import Store
from cloud_control.service.records import Held, Shelf, retried
from fleet_contract.fields import Millis

KIND = "_flow"
PAGE = 500


class _Flow(Kept):
    playing: bool
    over: bool
    since: Millis
    changed: Millis


class StoredFlows:
    """Of one fleet. Callable from any thread."""

    def __init__(self, store: Store, fleet: str) -> None:
        self._store, self._fleet = store, fleet
        self._shelf = Shelf(store, KIND, _Flow)

    def tell(self, event: Event) -> None:
        """Events may come late and twice: what is older than the newest changes nothing."""
        key = f"{self._fleet}/{event.stream}"

        def work() -> None:
            held = self._shelf.get(key)
            before = _read(held.value) if held else Flow()
            if int(event.at * 1000) < before.changed:
                return
            after = before.after(event)
            if after != before:
                self._store.commit(
                    [self._shelf.put(key, _kept(after), held.revision if held else 0)]
                )

        retried(work)

    def of(self, stream: str) -> Flow | None:
        held = self._shelf.get(f"{self._fleet}/{stream}")
        return _read(held.value) if held else None

    def all(self) -> dict[str, Flow]:
        return {_stream(held): _read(held.value) for held in self._held()}

    def forget(self, before_ms: int) -> list[str]:
        """Those that were over before then; their streams are returned."""
        gone = []
        for held in self._held():
            if held.value.over and held.value.changed < before_ms:
                self._store.commit([self._shelf.delete(held.key, held.revision)])
                gone.append(_stream(held))
        return gone

    def _held(self) -> list[Held[_Flow]]:
        found: list[Held[_Flow]] = []
        after = ""
        while page := self._shelf.page(f"{self._fleet}/", after, PAGE):
            found += page
            after = page[-1].key
        return found


def _stream(held: Held[_Flow]) -> str:
    return held.key.partition("/")[2]


def _read(kept: _Flow) -> Flow:
    return Flow(kept.playing, kept.over, kept.since, kept.changed)


def _kept(flow: Flow) -> _Flow:
    return _Flow(playing=flow.playing, over=flow.over, since=flow.since, changed=flow.changed)
