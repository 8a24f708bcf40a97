"""Who holds which id of the original app: kept, so that a restart changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from cloud_control.domain.original_app import Desk, Lease
from cloud_control.errors import TakenError
from cloud_control.ports import Store
from cloud_control.service.records import Shelf, retried

LIMIT = "connection limit..."


class Leases:
    """Of one fleet. From any thread."""

    def __init__(self, store: Store, fleet: str) -> None:
        self._store, self._fleet = store, fleet
        self._shelf = Shelf(store, "original_app", Desk)

    def all(self) -> tuple[Lease, ...]:
        """The oldest first."""
        return self._desk().leases

    def of(self, number: str) -> Lease | None:
        """The lease of an id, as it stands in addresses and stream keys."""
        return next((one for one in self.all() if str(one.id) == number), None)

    def lend(self, stream: str, address: str, now_ms: int) -> Lease:
        """The first free id. Raises TakenError when there is none."""

        def lend(desk: Desk) -> Desk:
            if not desk.free:
                raise TakenError(LIMIT)
            return desk.lent(Lease(id=desk.free[0], stream=stream, address=address, since=now_ms))

        return self._change(lend).leases[-1]

    def give_back(self, lease: Lease) -> None:
        """To the end of the queue; nothing happens if it lies there already."""
        self._change(lambda desk: desk.given_back(lease))

    def _desk(self) -> Desk:
        held = self._shelf.get(self._fleet)
        return held.value if held else Desk()

    def _change(self, change: Callable[[Desk], Desk]) -> Desk:
        """The desk as it is kept from now on."""

        def work() -> Desk:
            held = self._shelf.get(self._fleet)
            desk = change(held.value if held else Desk())
            put = self._shelf.put(self._fleet, desk, held.revision if held else 0)
            self._store.commit([put])
            return desk

        return retried(work)
