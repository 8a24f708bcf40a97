"""The paper model: what it counts is what the adapters do, and the guide shows what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import aws_prices, scale_model
from benchmarks.aws_prices import Price, Quota
from benchmarks.scale_model import LARGE, READS, SMALL, WRITES, Load, cost, limits, rates
from fleet_contract.reported import Reported
from fleet_contract.telemetry import StreamCounts, Telemetry
from fleet_contract.topics import Kind
from tests.cloud_control.aws.account import Account, opened
from tests.cloud_control.aws.front import fronted
from tests.cloud_control.aws.moto_server import running_moto
from tests.cloud_control.aws.test_functions import VERSION, add, enrol, online, state

GUIDE = Path(__file__).parents[2] / "docs" / "aws.md"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with (
        running_moto() as cloud,
        fronted(cloud) as front,
        opened(front, tmp_path_factory.mktemp("account")) as found,
    ):
        enrol(found, "van-1")
        add(found, "van-1", "walk")
        yield found


def test_a_message_costs_as_many_calls_as_the_model_says(account: Account) -> None:
    counts = (StreamCounts(id="walk"),)
    said = Telemetry(at=2, connection=1, uptime=1.0, cpu=0.1, memory=1, streams=counts)
    version = account.desired("van-1")["version"]
    reported = Reported(at=1, agent_version=VERSION, applied=version)
    ways: dict[str, Callable[[], None]] = {
        "status": lambda: account.says("van-1", Kind.STATUS, online()),
        "reported": lambda: account.says("van-1", Kind.REPORTED, reported),
        "state": lambda: account.says("van-1", Kind.STREAM_STATE, state(), "walk"),
        "telemetry": lambda: account.says("van-1", Kind.TELEMETRY, said),
    }
    for kind, say in ways.items():
        account.front.calls.clear()
        say()
        made = Counter(call.action for call in account.front.calls)
        written = [len(call.json["TransactItems"]) for call in account.front.calls
                   if call.action == "TransactWriteItems"]  # fmt: skip
        assert (made["GetItem"], sum(written)) == (READS[kind], WRITES[kind]), kind
        assert set(made) == {"GetItem", "TransactWriteItems"}, kind


def test_a_million_agents_hit_the_streams_of_ivs_first_and_then_a_partition() -> None:
    names = [hit.quota.name for hit in limits(LARGE[0])]
    assert names[:2] == [aws_prices.IVS_STREAMS.name, aws_prices.PARTITION_WRITES.name]
    shares = [hit.share for hit in limits(LARGE[0])]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("hit", limits(LARGE[0]), ids=lambda hit: hit.quota.name)
def test_at_as_many_agents_as_are_named_the_limit_is_just_reached(hit: scale_model.Hit) -> None:
    load = Load(max(1, round(hit.agents)), max(1, round(hit.agents / 20)))
    (again,) = [one for one in limits(load) if one.quota == hit.quota]
    assert again.share == pytest.approx(1.0, abs=0.1)


def test_rates_follow_the_load() -> None:
    often, seldom = (rates(load) for load in LARGE)
    assert (often.telemetry, often.writes) == (
        100_000,
        pytest.approx(2 * often.published, rel=0.01),
    )
    assert seldom.telemetry == pytest.approx(often.telemetry / 6)
    assert rates(Load(2, 0)).news == 2 * rates(Load(1, 0)).news


def test_money_goes_into_video_and_then_into_telemetry() -> None:
    for load in SMALL:
        found = [sum(cost(load, ingest).values()) for ingest in scale_model.INGESTS]
        assert found == sorted(found)
        assert cost(load, "ivs-basic")["video"] > sum(cost(load, "none").values())
    often, seldom = (sum(cost(load, "none").values()) for load in LARGE)
    assert seldom < often / 4


def test_every_figure_has_a_source_and_a_date() -> None:
    named = [each for each in vars(aws_prices).values() if isinstance(each, Price | Quota)]
    assert len(named) > 25
    assert all(each.source and any(c.isdigit() for c in each.known) for each in named)
    assert all(each.past for each in named if isinstance(each, Quota))


def test_the_guide_shows_what_the_model_prints() -> None:
    text = GUIDE.read_text()
    for table in (scale_model.cost_table(), scale_model.rate_table(),
                  scale_model.limit_table(LARGE[0])):  # fmt: skip
        assert table in text, "run `python -m benchmarks.scale_model` and put its tables there"


def test_it_speaks_to_people_and_to_machines() -> None:
    words = [sys.executable, "-m", "benchmarks.scale_model"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert scale_model.rate_table() in shown
    said = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True).stdout
    (large, *_) = [each for each in json.loads(said) if each["load"]["agents"] == 1_000_000]
    assert large["limits"][0]["quota"]["name"] == "IVS: concurrent streams"
