"""Attacks by command, named after what they try; and what an honest command meets."""

from __future__ import annotations

from collections.abc import Container

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contract.acceptance import (
    FUTURE_TOLERANCE_MS,
    Accepted,
    Arrival,
    Dropped,
    DropReason,
    judge,
)
from fleet_contract.codec import command_address, encode
from fleet_contract.commands import MAX_LIFE_MS, NEEDS_CONSENT, Command, Start, Stop, Unveil
from fleet_contract.topics import Address, Kind

NOW = 1_800_000_000_000
ID = "0f8b2c9d4e5a6b7c"
HONEST = Stop(id=ID, issued_at=NOW - 1000, expires_at=NOW + 30_000, stream="cam-1")


def arrival(
    command: Command = HONEST, *, agent: str = "van-7", fleet: str = "acme", retained: bool = False
) -> Arrival:
    topic = str(command_address(fleet, agent, command))
    return Arrival(topic, encode(command), retained)


def verdict(
    what: Arrival, now_ms: int = NOW, seen: Container[str] = frozenset()
) -> Accepted | Dropped:
    return judge(what, "acme", "van-7", now_ms, seen)


def test_an_honest_command_is_carried_out() -> None:
    assert verdict(arrival()) == Accepted(HONEST)


def test_a_retained_command_is_dropped() -> None:
    assert verdict(arrival(retained=True)) == Dropped(DropReason.RETAINED, HONEST)


def test_a_replayed_command_is_dropped_while_it_could_still_be_valid() -> None:
    assert verdict(arrival(), seen={ID}) == Dropped(DropReason.REPEATED, HONEST)
    assert verdict(arrival(retained=True), seen={ID}) == Dropped(DropReason.REPEATED, HONEST)


def test_a_command_replayed_after_its_expiry_is_dropped_though_its_id_is_forgotten() -> None:
    late = verdict(arrival(), now_ms=HONEST.expires_at)
    assert late == Dropped(DropReason.EXPIRED, HONEST)
    assert isinstance(verdict(arrival(), now_ms=HONEST.expires_at - 1), Accepted)


def test_a_command_from_the_future_is_dropped() -> None:
    early = HONEST.issued_at - FUTURE_TOLERANCE_MS
    assert isinstance(verdict(arrival(), now_ms=early), Accepted)
    assert verdict(arrival(), now_ms=early - 1) == Dropped(DropReason.FROM_FUTURE, HONEST)


@pytest.mark.parametrize(("fleet", "agent"), [("acme", "van-8"), ("other", "van-7")])
def test_a_command_to_another_agent_is_dropped_and_not_even_read(fleet: str, agent: str) -> None:
    assert verdict(arrival(fleet=fleet, agent=agent)) == Dropped(DropReason.FOREIGN)
    broken = Arrival(arrival(fleet=fleet, agent=agent).topic, b"\xff", retained=False)
    assert verdict(broken) == Dropped(DropReason.FOREIGN)


def test_an_unknown_command_is_dropped() -> None:
    topic = str(Address(Kind.COMMAND, "acme", "van-7", "mosaic-off"))
    assert verdict(Arrival(topic, encode(HONEST), retained=False)) == Dropped(DropReason.UNKNOWN)


def test_a_command_cannot_live_long_enough_to_be_kept_for_later() -> None:
    text = encode(HONEST).replace(
        str(HONEST.expires_at).encode(), str(HONEST.issued_at + MAX_LIFE_MS + 1).encode()
    )
    what = Arrival(arrival().topic, text, retained=False)
    assert verdict(what) == Dropped(DropReason.MALFORMED)


def test_a_payload_that_expires_before_it_was_issued_is_malformed() -> None:
    text = encode(HONEST).replace(str(HONEST.expires_at).encode(), b"1")
    assert verdict(Arrival(arrival().topic, text, retained=False)) == Dropped(DropReason.MALFORMED)


def test_a_short_id_that_could_collide_is_malformed() -> None:
    text = encode(HONEST).replace(ID.encode(), b"7")
    assert verdict(Arrival(arrival().topic, text, retained=False)) == Dropped(DropReason.MALFORMED)


def test_something_else_on_a_command_handler_is_malformed() -> None:
    what = Arrival("veilcast/v1/acme/van-7/desired", encode(HONEST), retained=False)
    assert verdict(what) == Dropped(DropReason.MALFORMED)


def test_start_does_not_pass_for_stop() -> None:
    """Topic and payload name the command once, in the topic: the payload cannot contradict it."""
    start = Start(**HONEST.model_dump())
    assert verdict(arrival(start)) == Accepted(start)
    assert arrival(start).payload == arrival(HONEST).payload


def test_unveiling_is_the_command_that_needs_consent() -> None:
    unveil = Unveil(**HONEST.model_dump())
    assert verdict(arrival(unveil)) == Accepted(unveil)
    assert frozenset({"unveil"}) == NEEDS_CONSENT


@given(st.text() | st.just(arrival().topic), st.binary(), st.booleans())
def test_anything_at_all_gets_a_verdict(topic: str, payload: bytes, retained: bool) -> None:
    assert isinstance(verdict(Arrival(topic, payload, retained)), Dropped)


@given(st.booleans(), st.integers(0, 2 * NOW), st.booleans())
def test_only_a_fresh_new_unretained_command_is_accepted(
    retained: bool, now_ms: int, repeated: bool
) -> None:
    found = verdict(arrival(retained=retained), now_ms, {ID} if repeated else set())
    in_time = HONEST.issued_at - FUTURE_TOLERANCE_MS <= now_ms < HONEST.expires_at
    assert isinstance(found, Accepted) == (in_time and not retained and not repeated)
