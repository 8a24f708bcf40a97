"""Commands over a real broker: once or never, and never what an attacker would like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_agent.fleet.protection import UNVEIL, Consent
from edge_agent.fleet.store import Store
from fleet_contract.acceptance import Arrival
from fleet_contract.topics import ROOT
from tests.edge_agent.fleet.broker import Broker, needs_mosquitto
from tests.edge_agent.fleet.cloud import Cloud, now_ms
from tests.edge_agent.fleet.device import Device, stream
from tests.edge_agent.fleet.patience import wait_until

pytestmark = needs_mosquitto

Start = Callable[[], Device]


@pytest.fixture
def device(start: Start, cloud: Cloud) -> Device:
    """Runs one stream and is connected."""
    cloud.desire(1, stream())
    device = start()
    cloud.await_newest("reported", applied=1)
    cloud.await_newest("streams/cam-1/state", run="running")
    return device


def settled(cloud: Cloud) -> None:
    """Everything said before this has been dealt with: commands come in order."""
    number = 9000 + len([t for t in cloud.topics() if t.startswith("cmd/snapshot")])
    cloud.await_newest(f"ack/{cloud.command('snapshot-metrics', number)}", outcome="done")


def test_stop_and_start_set_a_switch_that_outlives_a_restart(
    device: Device, cloud: Cloud, start: Start
) -> None:
    stop = cloud.command("stop", 1, stream="cam-1")
    cloud.await_newest(f"ack/{stop}", outcome="done", command="stop")
    cloud.await_newest("streams/cam-1/state", run="stopped", state="HELD")
    device.close()
    again = start()
    cloud.desire(2, stream())
    cloud.await_newest("reported", applied=2)
    assert again.workers.jobs == {}
    cloud.command("start", 2, stream="cam-1")
    cloud.await_newest("streams/cam-1/state", run="running")


def test_a_veil_outlives_a_restart_and_a_newer_document(
    device: Device, cloud: Cloud, start: Start
) -> None:
    veil = cloud.command("veil", 1, stream="cam-1")
    cloud.await_newest(f"ack/{veil}", outcome="done")
    cloud.await_newest("streams/cam-1/state", state="DEGRADED", veiled=True)
    device.close()
    again = start()
    cloud.desire(2)
    cloud.await_newest("reported", applied=2)
    cloud.desire(3, stream())
    cloud.await_newest("reported", applied=3)
    assert again.workers.jobs["cam-1"].veiled


def test_unveil_without_consent_on_the_device_fails(device: Device, cloud: Cloud) -> None:
    cloud.command("veil", 1, stream="cam-1")
    unveil = cloud.command("unveil", 2, stream="cam-1")
    cloud.await_newest(f"ack/{unveil}", outcome="failed", reason="needs_consent")
    assert device.workers.veiled["cam-1"]


def test_unveil_with_consent_on_the_device_ends_the_veil(device: Device, cloud: Cloud) -> None:
    cloud.command("veil", 1, stream="cam-1")
    consent(device, UNVEIL)
    cloud.await_newest("streams/cam-1/state", veiled=True)
    unveil = cloud.command("unveil", 2, stream="cam-1")
    cloud.await_newest(f"ack/{unveil}", outcome="done")
    cloud.await_newest("streams/cam-1/state", state="PROTECTED", veiled=False)


def test_a_retained_command_is_dropped_and_answered(
    device: Device, cloud: Cloud, start: Start
) -> None:
    """Left with the broker, to be carried out at each connection."""
    device.close()
    planted = cloud.command("stop", 1, retain=True, stream="cam-1")
    again = start()
    cloud.await_newest(f"ack/{planted}", outcome="dropped", reason="retained")
    settled(cloud)
    assert "cam-1" in again.workers.jobs
    cloud.say("cmd/stop", b"", retain=True)


def test_a_replayed_command_is_answered_as_before_and_not_carried_out(
    device: Device, cloud: Cloud, start: Start
) -> None:
    """Also after a restart of the agent: the id is on its disk."""
    life = {"issued_at": now_ms(), "expires_at": now_ms() + 300_000}
    stop = {"v": 1, "id": "recorded-on-the-wire", "stream": "cam-1", **life}
    cloud.say("cmd/stop", stop)
    first = cloud.await_newest("ack/recorded-on-the-wire", outcome="done")
    start_again = cloud.command("start", 2, stream="cam-1")
    cloud.await_newest(f"ack/{start_again}", outcome="done")
    device.close()
    again = start()
    cloud.await_newest("status", state="online", connection=again_number(again))
    cloud.say("cmd/stop", stop)
    wait_until(lambda: len(cloud.all("ack/recorded-on-the-wire")) == 2, "it is answered again")
    assert cloud.newest("ack/recorded-on-the-wire") == first
    assert "cam-1" in again.workers.jobs


def again_number(device: Device) -> int:
    wait_until(lambda: device.agent.presence.online, "it is connected")
    return device.agent.presence.connection


@pytest.mark.parametrize(
    ("issued", "expires", "reason"),
    [(-600_000, -1, "expired"), (120_000, 180_000, "from_future")],
)
def test_a_command_outside_of_its_time_is_dropped_and_answered(
    device: Device, cloud: Cloud, issued: int, expires: int, reason: str
) -> None:
    life = {"issued_at": now_ms() + issued, "expires_at": now_ms() + expires}
    cloud.say("cmd/stop", {"v": 1, "id": "out-of-its-time-1", "stream": "cam-1", **life})
    cloud.await_newest("ack/out-of-its-time-1", outcome="dropped", reason=reason)
    assert "cam-1" in device.workers.jobs


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        ("open-the-gate", b"{}", "unknown"),
        ("stop", b"", "malformed"),
        ("stop", b"not json", "malformed"),
        ("stop", b"[" * 100_000, "malformed"),
        ("stop", b'{"v":1,"v":1}', "malformed"),
        ("stop", b'{"v":2,"id":"command-of-later"}', "malformed"),
        ("stop", b" " * 131_072 + b"{}", "malformed"),
    ],
)
def test_a_message_that_is_no_command_is_counted_and_nothing_else(
    device: Device, cloud: Cloud, name: str, payload: bytes, reason: str
) -> None:
    cloud.say(f"cmd/{name}", payload)
    settled(cloud)
    counted = device.agent.commands.dropped.model_dump(exclude_defaults=True)
    assert counted == {reason: 1}
    assert "cam-1" in device.workers.jobs


def test_a_command_for_another_agent_is_foreign_even_if_a_broker_hands_it_over(
    device: Device, cloud: Cloud
) -> None:
    """The broker's lists should keep it away; the agent does not rely on them."""
    life = f'"issued_at": {now_ms()}, "expires_at": {now_ms() + 60_000}'
    payload = f'{{"v": 1, "id": "meant-for-another", "stream": "cam-1", {life}}}'.encode()
    for topic in (f"{ROOT}/acme/van-8/cmd/stop", f"{ROOT}/rival/van-7/cmd/stop"):
        arrival = Arrival(topic, payload, retained=False)
        device.agent.post(arrived(device, arrival))
    settled(cloud)
    assert device.agent.commands.dropped.foreign == 2
    assert "cam-1" in device.workers.jobs
    assert cloud.all("ack/meant-for-another") == []


def arrived(device: Device, arrival: Arrival) -> Any:
    from edge_agent.fleet.events import Arrived

    return Arrived(device.agent.presence.connection, arrival)


def test_a_command_to_a_stream_that_is_not_listed_fails(device: Device, cloud: Cloud) -> None:
    stop = cloud.command("stop", 1, stream="cam-9")
    cloud.await_newest(f"ack/{stop}", outcome="failed", reason="unknown_stream")
    assert "cam-1" in device.workers.jobs


@pytest.mark.usefixtures("device")
def test_snapshot_metrics_answers_with_numbers(cloud: Cloud) -> None:
    asked = cloud.command("snapshot-metrics", 1)
    numbers = cloud.await_newest(f"ack/{asked}", outcome="done")["numbers"]
    assert numbers["cam-1.unverified_frames_sent"] == 0
    assert numbers["memory"] > 0


@pytest.mark.usefixtures("device")
def test_self_test_runs_the_model_in_a_process_of_its_own(cloud: Cloud) -> None:
    asked = cloud.command("self-test", 1)
    ack = cloud.await_newest(f"ack/{asked}", outcome="done")
    assert ack["numbers"].keys() == {
        "score.license_plate", "score.id_card", "score.shipping_label",
    }  # fmt: skip
    assert [each["outcome"] for each in cloud.all(f"ack/{asked}")] == ["accepted", "done"]


def test_what_was_under_way_when_the_agent_was_killed_counts_as_interrupted(
    device: Device, cloud: Cloud, start: Start
) -> None:
    device.close()
    store = Store(device.agent.home.state)
    store.accept("begun-before-the-end", "self-test", now_ms() + 60_000, now_ms())
    store.close()
    again_number(start())
    life = {"issued_at": now_ms() - 1, "expires_at": now_ms() + 60_000}
    cloud.say("cmd/self-test", {"v": 1, "id": "begun-before-the-end", **life})
    cloud.await_newest("ack/begun-before-the-end", outcome="failed", reason="interrupted")


def test_an_answer_that_was_lost_with_the_link_is_given_when_it_is_asked_again(
    device: Device, cloud: Cloud, broker: Broker
) -> None:
    life = {"issued_at": now_ms(), "expires_at": now_ms() + 300_000}
    stop = {"v": 1, "id": "asked-before-the-loss", "stream": "cam-1", **life}
    cloud.say("cmd/stop", stop)
    cloud.await_newest("ack/asked-before-the-loss", outcome="done")
    first = device.agent.presence.connection
    broker.kill()
    broker.start()
    wait_until(
        lambda: device.agent.presence.online and device.agent.presence.connection > first,
        "it is connected anew",
    )
    wait_until(cloud.client.is_connected, "the cloud too")
    before = len(cloud.all("ack/asked-before-the-loss"))
    cloud.say("cmd/stop", stop)
    wait_until(lambda: len(cloud.all("ack/asked-before-the-loss")) > before, "asked and answered")


def consent(device: Device, path: str) -> None:
    """As `veilcast consent give` does it: from another connection to the store."""
    store = Store(device.agent.home.state)
    store.give(Consent("cam-1", path, None, now_ms() + 60_000))
    store.close()
