"""A broker, a cloud and a device for each test that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.fleet.home import Home
from tests.edge_agent.fleet.authority import Authority, new_authority
from tests.edge_agent.fleet.broker import Broker
from tests.edge_agent.fleet.cloud import Cloud
from tests.edge_agent.fleet.device import Device, enrolled_home


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def broker(tmp_path: Path, authority: Authority) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(authority.file.read_bytes())
    made = Broker(folder, authority)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def cloud(broker: Broker) -> Iterator[Cloud]:
    made = Cloud(broker)
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path, broker: Broker) -> Home:
    return enrolled_home(tmp_path / "home", broker.authority, broker.port)


@pytest.fixture
def start(home: Home) -> Iterator[Callable[[], Device]]:
    """Starts an agent on `home`; whatever still runs is ended after the test."""
    devices: list[Device] = []

    def begin() -> Device:
        devices.append(Device(home))
        return devices[-1]

    yield begin
    for device in devices:
        device.close()
