"""The link to a real broker: who is there, what is lost, what is said again."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.fleet.presence import backoff
from fleet_contract.strict_json import MAX_INTEGER
from tests.edge_agent.fleet.broker import Broker, needs_mosquitto
from tests.edge_agent.fleet.cloud import Cloud
from tests.edge_agent.fleet.device import Device, stream
from tests.edge_agent.fleet.patience import wait_until

pytestmark = needs_mosquitto

Start = Callable[[], Device]


def test_says_who_is_there_then_what_it_does_then_how_each_stream_is(
    start: Start, cloud: Cloud
) -> None:
    cloud.desire(1, stream("cam-1"), stream("dash", autostart=False))
    start()
    cloud.await_newest("reported", applied=1)
    cloud.await_newest("streams/dash/state", run="stopped")
    state = cloud.await_newest("streams/cam-1/state", run="running", state="PROTECTED")
    said = [topic for topic in cloud.topics() if topic != "desired"]
    assert said[:2] == ["status", "reported"]
    status = cloud.newest("status")
    assert (status["state"], status["reason"]) == ("online", "connected")
    assert state["connection"] == status["connection"]
    converged = [{"id": name, "converged": True} for name in ("cam-1", "dash")]
    cloud.await_newest("reported", streams=converged)
    cloud.await_newest("telemetry", v=1)


def test_a_planned_end_is_told_apart_from_a_lost_connection(start: Start, cloud: Cloud) -> None:
    device = start()
    online = cloud.await_newest("status", state="online")
    device.close()
    cloud.await_newest(
        "status", state="offline", reason="shutdown", connection=online["connection"]
    )


def test_the_broker_speaks_the_last_will_of_a_connection_that_broke(
    start: Start, cloud: Cloud
) -> None:
    device = start()
    first = cloud.await_newest("status", state="online")["connection"]
    link = device.agent.presence._link
    assert link is not None
    sock = link._client.socket()
    assert sock is not None
    sock.close()
    wait_until(lambda: cloud.newest("status")["connection"] > first, "it connects anew")
    wills = [each for each in cloud.all("status") if each["reason"] == "lost"]
    assert all(will["connection"] == first for will in wills)
    wait_until(lambda: cloud.newest("status")["state"] == "online", "online in the end")


def test_a_late_will_does_not_make_it_look_gone(start: Start, cloud: Cloud) -> None:
    start()
    online = cloud.await_newest("status", state="online")
    late = online | {"state": "offline", "reason": "lost", "connection": online["connection"] - 1}
    cloud.say("status", late, retain=True)
    wait_until(lambda: late in cloud.all("status"), "the late will is there")
    cloud.await_newest("status", state="online", connection=online["connection"])


def test_a_higher_number_than_its_own_means_that_its_memory_was_lost(
    start: Start, cloud: Cloud
) -> None:
    start()
    online = cloud.await_newest("status", state="online")
    higher = online["connection"] + 1_000_000_000
    cloud.say("status", online | {"connection": higher}, retain=True)
    cloud.await_newest("status", state="online", connection=higher + 1)


def test_a_number_that_leaves_no_room_for_more_is_not_believed(start: Start, cloud: Cloud) -> None:
    start()
    online = cloud.await_newest("status", state="online")
    cloud.say("status", online | {"connection": MAX_INTEGER}, retain=True)
    wait_until(lambda: MAX_INTEGER in [s["connection"] for s in cloud.all("status")], "it is said")
    cloud.await_newest("status", state="online", connection=online["connection"])


def test_streams_go_on_without_a_broker_and_the_newest_is_told_when_it_is_back(
    start: Start, cloud: Cloud, broker: Broker
) -> None:
    cloud.desire(1, stream())
    device = start()
    first = cloud.await_newest("status", state="online")["connection"]
    cloud.await_newest("streams/cam-1/state", run="running")
    broker.kill()
    wait_until(lambda: not device.agent.presence.online, "the loss is noticed")
    device.workers.report("cam-1", state="DEGRADED", reason="Source is silent!")
    device.workers.report("cam-1", state="HELD", reason="no_video")
    assert "cam-1" in device.workers.jobs
    before = len(cloud.all("streams/cam-1/state"))
    broker.start()
    wait_until(
        lambda: (cloud.newest("status") or {}).get("connection", 0) > first, "a new connection"
    )
    cloud.await_newest("streams/cam-1/state", state="HELD", reason="no_video")
    since = cloud.all("streams/cam-1/state")[before:]
    assert not [state for state in since if state.get("reason") == "source_is_silent"]
    assert ("cam-1", "end") not in device.workers.told


def test_starts_its_streams_again_without_any_network(
    start: Start, cloud: Cloud, broker: Broker
) -> None:
    cloud.desire(7, stream())
    device = start()
    cloud.await_newest("reported", applied=7)
    device.close()
    broker.kill()
    again = start()
    wait_until(lambda: "cam-1" in again.workers.jobs, "the stream runs")
    assert again.agent.presence.online is False


def test_the_state_of_a_stream_that_is_not_listed_any_more_is_cleared(
    start: Start, cloud: Cloud
) -> None:
    cloud.desire(1, stream("cam-1"), stream("cam-2"))
    device = start()
    cloud.await_newest("streams/cam-2/state", run="running")
    cloud.desire(2, stream("cam-1"))
    wait_until(lambda: cloud.newest("streams/cam-2/state") == {}, "it is cleared")
    cloud.await_newest("reported", applied=2)
    assert list(device.workers.jobs) == ["cam-1"]
    wait_until(lambda: not device.agent.in_force.known["cam-2"].shown, "it knows")


def test_a_foreign_agent_reads_and_writes_nothing_here(
    start: Start, cloud: Cloud, broker: Broker
) -> None:
    """With another device's certificate, on this agent's topics."""
    cloud.desire(1, stream())
    device = start()
    cloud.await_newest("reported", applied=1)
    thief = Cloud(broker, name="acme/thief")
    thief.say("desired", {"v": 1, "version": 99, "issued_at": 1})
    thief.say("cmd/stop", b"{}")
    cloud.command("snapshot-metrics", 1)
    cloud.await_newest("ack/command-number-0001", outcome="done")
    assert thief.topics() == []
    assert "cam-1" in device.workers.jobs
    assert cloud.newest("reported")["applied"] == 1
    thief.close()


def test_backoff_is_jittered_in_full_and_bounded() -> None:
    assert [backoff(n, 1.0) for n in (0, 1, 5, 6, 1000)] == [1.0, 2.0, 32.0, 60.0, 60.0]
    assert backoff(9, 0.0) == 0.0
