"""What docs/operations.md tells to do with a control plane's folder: back up, restore, replace its
authority. Agents come back each time."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cloud_control.brokers import HOST
from tests.faults.street import write_street
from tests.fleet.devices import Device
from tests.fleet.planes import FLEET, Plane
from tests.fleet.processes import veilcast, wait_for

BACKED_UP = ("control.json", "ca", "models", "keys/online")  # and a copy of control.sqlite

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    with Plane(tmp_path, "embedded") as made:
        yield made


@pytest.fixture
def device(plane: Plane, tmp_path: Path) -> Iterator[Device]:
    """Online, with a stream that waits."""
    street = tmp_path / "street.mp4"
    write_street(street, 5)
    made = Device(tmp_path, "van-1", street)
    plane.enrol(made)
    plane.add_stream(made, "dash")
    made.agent.start()
    wait_for(lambda: plane.agent("van-1")["online"], "the agent is online")
    yield made
    made.agent.stop()


def test_a_restored_control_plane_goes_on_with_its_agents(
    plane: Plane, device: Device, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    for name in BACKED_UP:
        part = plane.data / name
        (backup / name).parent.mkdir(exist_ok=True)
        (shutil.copytree if part.is_dir() else shutil.copy)(part, backup / name)
    with (
        closing(sqlite3.connect(plane.data / "control.sqlite")) as live,
        closing(sqlite3.connect(backup / "control.sqlite")) as copy,
    ):
        live.backup(copy)
    plane.process.kill()
    shutil.rmtree(plane.data)
    shutil.move(backup, plane.data)
    plane.data.chmod(0o700)

    plane.start()
    wait_for(lambda: plane.agent(device.name)["online"], "the agent came back")
    assert plane.stream("dash")["agent"] == device.name
    plane.ask("PUT", "/v1/protection", {"hold": 2.0})
    wait_for(lambda: plane.converged(device.name), "the agent follows it")


def test_agents_join_anew_at_another_authority_and_keep_their_streams(
    plane: Plane, device: Device
) -> None:
    assert plane.process.stop() == 0
    for name in ("ca", "control.json"):
        (plane.data / name).rename(plane.data / f"{name}.stolen")
    veilcast("control", "init", "--data", plane.data, "--fleet", FLEET, "--host", HOST, "--json")
    plane.trust_anew()
    plane.start()
    assert not plane.agent(device.name)["online"]

    device.agent.stop()
    shutil.move(device.home, device.home.with_name("former"))
    plane.enrol(device)
    device.agent.start()
    wait_for(lambda: plane.agent(device.name)["online"], "the agent joined anew")
    wait_for(lambda: "dash" in plane.agent(device.name)["stream_states"], "it has its stream")
