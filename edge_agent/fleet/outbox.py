"""What is on its way to the broker: of each topic only the newest, one at a time."""

from __future__ import annotations

from collections.abc import Callable

from fleet_contract.topics import Address

Send = Callable[[Address, bytes], int | None]  # the number of the message, None: not now


class Outbox:
    """Holds back a topic's newer message until its former one has arrived, so that whatever order
    the broker sees, the newest state comes last. For one thread."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[Address, bytes] = {}
        self._under_way: dict[Address, tuple[int, bytes]] = {}

    def put(self, address: Address, payload: bytes) -> None:
        self._waiting.pop(address, None)
        self._waiting[address] = payload
        self._drain()

    def delivered(self, mid: int) -> tuple[Address, bytes] | None:
        """The message that has arrived under this number; what waited for it goes next."""
        for address, (number, payload) in self._under_way.items():
            if number == mid:
                del self._under_way[address]
                self._drain()
                return address, payload
        return None

    def _drain(self) -> None:
        for address in [each for each in self._waiting if each not in self._under_way]:
            mid = self._send(address, self._waiting[address])
            if mid is None:
                return
            self._under_way[address] = mid, self._waiting.pop(address)
