"""Grants: what a name may read and write, and that Mosquitto's list says the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_control.adapters.grants import covers, grants_of
from cloud_control.adapters.mosquitto import grants_file
from cloud_control.errors import CertificateError
from fleet_contract.topics import Address, Kind

LEVELS = st.sampled_from(["veilcast", "v1", "acme", "van-7", "cmd", "status", "+", "#", ""])


@given(st.lists(LEVELS, min_size=1, max_size=7), st.lists(LEVELS, min_size=1, max_size=7))
def test_no_filter_is_granted_that_covers_a_foreign_topic(
    wanted: list[str], topic: list[str]
) -> None:
    grants, pattern, name = grants_of("acme/van-7"), "/".join(wanted), "/".join(topic)
    if grants.may_subscribe(pattern) and "+" not in name and "#" not in name:
        assert not covers(pattern, name) or grants.may_read(name)


@pytest.mark.parametrize("name", ["acme", "acme/van-7/x", "", "/", "+/+", "acme/#", "Acme/van-7"])
def test_a_name_that_is_no_agents_has_no_grants(name: str) -> None:
    with pytest.raises(CertificateError):
        grants_of(name)


def test_every_kind_is_read_by_one_side_and_written_by_the_other() -> None:
    agent, control = grants_of("acme/van-7"), grants_of("control")
    for kind in Kind:
        name = "x" if kind in {Kind.STREAM_STATE, Kind.COMMAND, Kind.ACK} else ""
        address = Address(kind, "acme", "van-7", name)
        sent_by_device = address.channel.sender == "device"
        assert agent.may_write(str(address)) == sent_by_device
        assert agent.may_read(str(address)) == (not sent_by_device or kind is Kind.STATUS)
        assert control.may_read(str(address))
        assert control.may_write(str(address))


def test_mosquittos_list_says_the_same() -> None:
    lines = [
        line.split(" ", 2) for line in grants_file().splitlines() if line.startswith("pattern")
    ]
    agent = grants_of("acme/van-7")
    for word, granted in (("read", agent.reads), ("write", agent.writes)):
        listed = {topic.replace("%u", "acme/van-7") for _, kind, topic in lines if kind == word}
        assert listed == set(granted)
