"""When video is spooled, and what of the seconds before is kept for it."""

from __future__ import annotations

import pytest

from edge_agent.errors import SinkError
from edge_agent.media.gap import BEFORE_S, START_S, TAIL_S, Before, Gap, seconds
from edge_agent.media.packet import ProtectedPacket
from edge_agent.spool.address import LIMIT, SpoolAddress, spool_address
from tests.edge_agent.spool.coded import Camera


def times(before: Before) -> list[float]:
    return [seconds(packet) for packet in before.drain()]


def test_what_is_carried_is_not_spooled() -> None:
    gap = Gap()
    assert not any(gap.is_open(now, carried=True) for now in range(100))


def test_the_first_connection_has_time() -> None:
    gap = Gap()
    assert not gap.is_open(0.0, carried=False)
    assert not gap.is_open(START_S - 0.1, carried=False)
    assert gap.is_open(START_S, carried=False)


def test_after_that_the_shortest_loss_is_a_gap_until_the_uplink_has_held_for_a_while() -> None:
    gap = Gap()
    gap.is_open(0.0, carried=True)
    assert gap.is_open(1.0, carried=False)
    assert gap.is_open(2.0, carried=True)
    assert gap.is_open(2.0 + TAIL_S - 0.1, carried=True)
    assert not gap.is_open(2.0 + TAIL_S, carried=True)
    assert gap.is_open(7.0, carried=False)


def test_a_connection_that_flickers_stays_a_gap() -> None:
    gap = Gap()
    gap.is_open(0.0, carried=True)
    assert all(gap.is_open(now / 10, carried=now % 20 != 0) for now in range(20, 400))


def test_the_seconds_before_begin_with_a_keyframe_and_are_bounded() -> None:
    camera, before = Camera(), Before()
    packets = list(camera.film(36.0))
    for packet in packets[3:]:  # the first three belong to no keyframe that was seen
        before.push(packet)
    kept = list(before.drain())
    assert isinstance(kept[0], ProtectedPacket)
    assert kept[0].is_key
    assert kept[-1] is packets[-1]
    assert BEFORE_S <= seconds(kept[-1]) - seconds(kept[0]) < BEFORE_S + 4
    assert times(before) == []


def test_an_address_says_how_to_spool() -> None:
    plain = spool_address("spool:/var/spool/cam-1")
    assert (str(plain.folder), plain.mode, plain.limit) == ("/var/spool/cam-1", "gap", LIMIT)
    full = spool_address("spool:cam?mode=all&limit=500M&key=/etc/key")
    assert full == SpoolAddress(full.folder, "all", 500 << 20, full.key_file)
    assert str(full.key_file) == "/etc/key"


@pytest.mark.parametrize(
    "wrong", ["", "?mode=all", "cam?mode=some", "cam?limit=many", "cam?limit=1M", "cam?keys=x"]
)
def test_a_wrong_address_says_what_is_wrong(wrong: str) -> None:
    with pytest.raises(SinkError, match="spool"):
        spool_address(f"spool:{wrong}")
