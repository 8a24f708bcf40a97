"""The broker is killed while agents stream: nothing on the devices depends on it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cloud_control.brokers import Place, Wire, running
from tests.cloud_control.test_brokers import mosquitto_of, needs_mosquitto
from tests.fleet.devices import LIGHT, Device
from tests.fleet.processes import wait_for

pytestmark = pytest.mark.timeout(600)

ENOUGH = 40_000  # bytes of video: a second or two
OWN = "veilcast/v1/acme/van-7"


def document(version: int, thresh: float, stream: dict[str, Any]) -> bytes:
    protection = LIGHT | {"classes": {"license_plate": {"thresh": thresh}}}
    return json.dumps(
        {"v": 1, "version": version, "issued_at": 1, "telemetry_seconds": 1}
        | {"protection": protection, "streams": [stream]}
    ).encode()


def newest(wire: Wire, tail: str) -> dict[str, Any]:
    found = [payload for topic, payload, _ in wire.heard if topic == f"{OWN}/{tail}"]
    return dict(json.loads(found[-1])) if found else {}


def frames(wire: Wire) -> int:
    streams = newest(wire, "telemetry").get("streams") or [{}]
    return int(streams[0].get("frames_protected", 0))


def again(place: Place, ready: Callable[[Wire], object], what: str) -> Wire:
    """A new control connection once the broker is back, that hears what is awaited."""

    def connected() -> Wire | None:
        try:
            wire = place.client("control").__enter__()
        except OSError:
            return None
        wire.subscribe("veilcast/v1/#")
        return wire

    found: list[Wire] = []
    wait_for(lambda: found or [found.append(one) for one in [connected()] if one], "a broker")
    wait_for(lambda: ready(found[0]), what)
    return found[0]


@needs_mosquitto
def test_a_killed_broker_changes_nothing_and_agents_come_back_to_the_next(
    tmp_path: Path, street: Path
) -> None:
    with running("mosquitto", tmp_path) as place:
        device = Device(tmp_path / "devices", "van-7", street)
        identity = place.identity("acme/van-7")
        authority = place.authority.certificate_file
        device.adopt("acme", identity.certificate, identity.key, authority, place.port)
        with place.client("control") as wire:
            wire.subscribe("veilcast/v1/#")
            wire.publish(f"{OWN}/desired", document(1, 0.5, device.wanted_stream()), retain=True)
            device.agent.start()
            wait_for(lambda: frames(wire) > 0, "a protected stream")
            first, before = newest(wire, "status")["connection"], frames(wire)
            pid = mosquitto_of(place.broker).pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        wire = again(place, lambda w: newest(w, "status").get("state") == "online", "it is back")
        assert newest(wire, "status")["connection"] > first
        wait_for(lambda: frames(wire) > before, "frames went on")
        wire.publish(f"{OWN}/desired", document(2, 0.3, device.wanted_stream()), retain=True)
        wait_for(lambda: newest(wire, "reported").get("applied") == 2, "the next document")
        counts = newest(wire, "telemetry")["streams"][0]
        assert counts["worker_restarts"] == 0
        assert counts["unverified_frames_sent"] == 0
        device.agent.stop()
        wait_for(lambda: newest(wire, "status").get("reason") == "shutdown", "a goodbye")
        wire.__exit__(None)
        device.assert_nothing_leaked()


@needs_mosquitto
def test_an_agent_killed_while_it_streams_goes_on_with_what_was_in_force(
    tmp_path: Path, street: Path
) -> None:
    """Also with the broker away: what it stored is enough."""
    with running("mosquitto", tmp_path) as place:
        device = Device(tmp_path / "devices", "van-7", street)
        identity = place.identity("acme/van-7")
        authority = place.authority.certificate_file
        device.adopt("acme", identity.certificate, identity.key, authority, place.port)
        with place.client("control") as wire:
            wire.subscribe("veilcast/v1/#")
            wire.publish(f"{OWN}/desired", document(1, 0.5, device.wanted_stream()), retain=True)
            device.agent.start()
            wait_for(lambda: frames(wire) > 0, "a protected stream")
            device.kill()
            wait_for(lambda: newest(wire, "status").get("reason") == "lost", "its will")
        place.broker.stop()
        device.write_settings("after the kill")
        device.agent.start()
        growing = device.videos / "after the kill.mkv.part"
        wait_for(lambda: growing.exists() and growing.stat().st_size > ENOUGH, "it streams again")
        device.agent.stop()
        device.assert_nothing_leaked()
