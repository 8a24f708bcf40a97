"""Topics: built and parsed back, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contract.errors import ContractError, Reason
from fleet_contract.topics import (
    CHANNELS,
    MAX_TOPIC,
    Address,
    Kind,
    Subscription,
    agent_reads,
    agent_writes,
    control_reads,
    parse_topic,
)

IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}\Z", fullmatch=True)
BAD_IDS = ["", "+", "#", "$sys", "a/b", "a\0", "a ", "A", "-a", "é", "x" * 65, "a\n", ".."]


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    kind = draw(st.sampled_from(Kind))
    name = draw(IDS) if "{name}" in CHANNELS[kind].tail else ""
    return Address(kind, draw(IDS), draw(IDS), name)


def matches(filter_: str, topic: str) -> bool:
    """MQTT's rule for filters without `#`."""
    pairs = list(zip(filter_.split("/"), topic.split("/"), strict=False))
    same_length = filter_.count("/") == topic.count("/")
    return same_length and all(want in {"+", got} for want, got in pairs)


@given(addresses())
def test_a_topic_is_parsed_back_to_its_address(address: Address) -> None:
    assert parse_topic(str(address)) == address
    assert len(str(address)) <= MAX_TOPIC
    assert str(address).count("/") <= 7, "some brokers allow no more"


@given(addresses(), IDS)
def test_each_side_reads_what_the_other_writes_and_no_other_agent_does(
    address: Address, other: str
) -> None:
    def granted(filters: tuple[Subscription, ...]) -> list[int]:
        return [one.qos for one in filters if matches(one.filter, str(address))]

    reads = granted(agent_reads(address.fleet, address.agent))
    writes = granted(agent_writes(address.fleet, address.agent))
    from_device = address.channel.sender == "device"
    assert writes == ([address.channel.qos] if from_device else [])
    assert granted(control_reads()) == granted(control_reads(address.fleet)) == writes
    assert bool(reads) == (not from_device or address.kind is Kind.STATUS)
    if other != address.agent:
        assert granted(agent_reads(address.fleet, other)) == []
        assert granted(agent_writes(address.fleet, other)) == []
    if other != address.fleet:
        assert granted(control_reads(other)) == []


def test_state_is_kept_by_the_broker_and_commands_never_are() -> None:
    kept = {kind for kind, channel in CHANNELS.items() if channel.retain}
    assert kept == {Kind.STATUS, Kind.DESIRED, Kind.REPORTED, Kind.STREAM_STATE}


@pytest.mark.parametrize("bad", BAD_IDS)
def test_no_part_of_a_topic_can_hold_what_mqtt_or_a_file_system_would_act_on(bad: str) -> None:
    for parts in ((bad, "van-7", "cam-1"), ("acme", bad, "cam-1"), ("acme", "van-7", bad)):
        with pytest.raises(ContractError) as caught:
            Address(Kind.STREAM_STATE, *parts)
        assert caught.value.reason is Reason.BAD_TOPIC
    for subscribe in (agent_reads, agent_writes):
        if bad != "+":
            with pytest.raises(ContractError):
                subscribe("acme", bad)


def test_a_name_where_none_belongs_is_refused() -> None:
    with pytest.raises(ContractError):
        Address(Kind.STATUS, "acme", "van-7", "cam-1")


@pytest.mark.parametrize(
    "topic",
    [
        "", "veilcast", "veilcast/v1", "veilcast/v1/", "veilcast/v1/acme/van-7",
        "veilcast/v1/acme/van-7/", "veilcast/v1/acme/van-7/status/",
        "/veilcast/v1/acme/van-7/status",
        "veilcast/v2/acme/van-7/status", "veilcast/v1/acme/van-7/streams/state",
        "veilcast/v1/acme/van-7/streams//state", "veilcast/v1/acme/van-7/streams/a/b/state",
        "veilcast/v1/acme/van-7/cmd/", "veilcast/v1/acme/van-7/cmd/+", "veilcast/v1/+/van-7/status",
        "veilcast/v1/acme/van-7/STATUS", "veilcast/v1/acme/van-7/ack/a\0b",
        "veilcast/v1/" + "a" * 300 + "/van-7/status",
    ],
)  # fmt: skip
def test_what_is_no_topic_of_ours_is_refused(topic: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse_topic(topic)
    assert caught.value.reason is Reason.BAD_TOPIC


@given(st.text() | st.text("veilcast/1+#\0").map("veilcast/v1/acme/van-7/".__add__))
def test_any_text_is_a_topic_or_a_contract_error(text: str) -> None:
    try:
        said = str(parse_topic(text))
    except ContractError as problem:
        said = problem.detail
    assert said.isprintable()
