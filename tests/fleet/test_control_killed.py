"""The control plane is killed while settings change and a model spreads: what comes back agrees."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cloud_control.brokers import KINDS
from tests.fleet.devices import Device
from tests.fleet.planes import Plane
from tests.fleet.processes import wait_for

pytestmark = pytest.mark.timeout(600)

KILLS = 2
NAME = "van-1"


@pytest.fixture(params=KINDS)
def plane(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plane]:
    with Plane(tmp_path, request.param) as made:
        yield made


@pytest.fixture
def device(plane: Plane, tmp_path: Path, street: Path) -> Iterator[Device]:
    """Enrolled and connected; it carries no stream."""
    made = Device(tmp_path, NAME, street)
    plane.enrol(made)
    made.agent.start()
    wait_for(lambda: plane.agent(NAME)["online"], "it is online")
    yield made
    assert made.agent.alive
    made.agent.stop()


def thresholds(plane: Plane, begun: threading.Event, tried: list[float]) -> None:
    """Tighten again and again, until the control plane is gone."""
    with suppress(httpx.TransportError, AssertionError):
        while True:
            thresh = round(0.9 - 0.001 * len(tried), 3)
            tried.append(thresh)
            plane.ask("PUT", "/v1/protection", {"classes": {"id_card": {"thresh": thresh}}})
            begun.set()


def in_force(plane: Plane) -> float:
    return float(plane.ask("GET", "/v1/protection")["classes"]["id_card"]["thresh"])


def test_killed_in_the_middle_of_changes_of_settings(plane: Plane, device: Device) -> None:
    assert device.agent.alive
    tried: list[float] = []
    last = 0
    for _ in range(KILLS):
        begun = threading.Event()
        writer = threading.Thread(target=thresholds, args=(plane, begun, tried))
        writer.start()
        assert begun.wait(60.0)
        plane.process.kill()
        writer.join()
        plane.start()
        wait_for(lambda: plane.agent(NAME)["online"], "the agent is back")
        wait_for(lambda: plane.converged(NAME), "it has the document that is wanted")
        shown = plane.agent(NAME)
        assert shown["applied"] == shown["version"] > last
        last = shown["version"]
        assert in_force(plane) in tried[-2:], "what was answered is there; the last may be"
        changes = [one for one in audit(plane) if one["action"] == "fleet.protection"]
        assert changes[-1]["after"]["protection"]["classes"]["id_card"]["thresh"] == in_force(plane)


def test_killed_while_a_model_spreads(plane: Plane, device: Device, tmp_path: Path) -> None:
    assert device.agent.alive
    model = plane.publish_model(tmp_path / "model", "7.0.0")
    plan = {"waves": [{"percent": 100}], "gate": {"soak_seconds": 0}}
    rollout = plane.ask("POST", "/v1/rollouts", {"model": model, "plan": plan})["id"]
    plane.process.kill()
    plane.start()
    path = f"/v1/rollouts/{rollout}"
    wait_for(lambda: plane.ask("GET", path)["status"] == "finished", "the rollout goes on")
    wait_for(lambda: (plane.agent(NAME)["model"] or {}).get("version") == "7.0.0", "it runs")
    told = [one["agent"] for one in plane.ask("GET", path)["agents"]]
    assert told == [NAME]


def audit(plane: Plane) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    after = ""
    while True:
        page = plane.ask("GET", f"/v1/audit?limit=500&after={after}")
        entries += page["entries"]
        if page["next"] is None:
            return entries
        after = page["next"]
