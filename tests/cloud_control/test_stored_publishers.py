"""Publishers in a store: what several processes take them for, over time."""

from __future__ import annotations

from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.ingest.port import Asked, Event, Granted, Kind, Refused
from cloud_control.service.flows import StoredFlows
from cloud_control.service.stored_publishers import BUSY, LINGER_MS, StoredPublishers

RIGHT = Asked("live", "right", "right", "10.0.0.9")


class Stage:
    """Two processes on one store, and a clock."""

    def __init__(self) -> None:
        self.now_ms, self.voucher = 1_800_000_000_000, "k1"
        self.told: list[Kind] = []
        self.store = MemoryStore()
        self.flows = StoredFlows(self.store, "acme")
        self.one, self.other = (
            StoredPublishers(
                self.store, "acme", lambda _: Granted("walk"), lambda _: self.voucher,
                self._tell, lambda: self.now_ms,
            )
            for _ in range(2)
        )  # fmt: skip

    def _tell(self, event: Event) -> None:
        self.told.append(event.kind)
        self.flows.tell(event)

    def later(self, ms: int) -> None:
        self.now_ms += ms
        self.other.sweep()


def test_one_lets_in_and_another_hears_of_it() -> None:
    stage = Stage()
    assert stage.one.enter("n1", RIGHT, 10.0) == Granted("walk")
    assert stage.other.publishing() == {"walk"}
    assert stage.other.enter("n2", RIGHT, 10.0) == BUSY
    assert stage.other.renew("n1", 10.0) is True
    assert stage.other.renew("n2", 10.0) is None
    stage.other.leave("n2")  # it was never let in
    assert stage.one.publishing() == {"walk"}
    stage.other.leave("n1")
    assert stage.one.publishing() == set()
    assert stage.one.renew("n1", 10.0) is None


def test_it_plays_once_its_media_go_on() -> None:
    stage = Stage()
    stage.one.enter("n1", RIGHT, 10.0)
    for mark in ("0", "0", "500", "900"):
        stage.other.heard("n1", mark)
        stage.later(1000)
    assert stage.told == [Kind.PUBLISH, Kind.PLAYABLE]
    assert stage.flows.all()["walk"].playing


def test_a_lease_that_is_renewed_lasts_and_another_does_not() -> None:
    stage = Stage()
    stage.one.enter("n1", RIGHT, 10.0)
    for _ in range(5):
        stage.later(6_000)
        assert stage.other.renew("n1", 10.0) is True
    assert stage.one.publishing() == {"walk"}
    stage.later(10_001)
    assert stage.one.publishing() == set()
    assert stage.told == [Kind.PUBLISH, Kind.PUBLISH_DONE]


def test_who_comes_back_in_time_goes_on_and_who_does_not_has_ended() -> None:
    stage = Stage()
    stage.one.enter("n1", RIGHT, 10.0)
    began = stage.flows.all()["walk"].since
    stage.one.leave("n1")
    stage.later(LINGER_MS - 1)
    assert stage.other.enter("n2", RIGHT, 10.0) == Granted("walk")
    stage.later(1)
    assert stage.flows.all()["walk"].since == began  # players go on
    stage.one.leave("n2")
    stage.later(LINGER_MS + 1)
    assert stage.told[-1] is Kind.ENDED
    assert stage.flows.all()["walk"].over


def test_whose_key_was_changed_is_to_be_hung_up_on() -> None:
    stage = Stage()
    stage.one.enter("n1", RIGHT, 10.0)
    stage.voucher = "k2"
    assert stage.other.renew("n1", 10.0) is False


def test_a_refusal_is_passed_on() -> None:
    no = Refused("wrong stream key")
    refusing = StoredPublishers(
        MemoryStore(), "acme", lambda _: no, lambda _: None, lambda _: None, lambda: 1
    )
    assert refusing.enter("n1", RIGHT) == no
    assert refusing.publishing() == set()
