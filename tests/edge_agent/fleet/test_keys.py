"""Changing the device's key over a real broker: the old one is kept until the new one has stood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.fleet.home import Home
from edge_agent.fleet.identity import Identity
from tests.edge_agent.fleet.authority import Authority, new_authority
from tests.edge_agent.fleet.broker import Broker, needs_mosquitto
from tests.edge_agent.fleet.cloud import Cloud
from tests.edge_agent.fleet.control_server import ControlServer
from tests.edge_agent.fleet.device import Device, enrolled_home
from tests.edge_agent.fleet.patience import wait_until

pytestmark = needs_mosquitto

Start = Callable[[], Device]


@pytest.fixture
def server(authority: Authority, broker: Broker) -> Iterator[ControlServer]:
    made = ControlServer(authority, broker.port)
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path, broker: Broker, server: ControlServer) -> Home:
    made = enrolled_home(tmp_path / "home", broker.authority, broker.port, control=server.url)
    server.know("acme/van-7", made.certificate.read_bytes())
    return made


def test_rotate_key_switches_once_the_new_key_has_connected(
    start: Start, cloud: Cloud, home: Home, server: ControlServer
) -> None:
    old = home.key.read_bytes()
    start()
    first = cloud.await_newest("status", state="online")["connection"]
    asked = cloud.command("rotate-key", 1)
    cloud.await_newest(f"ack/{asked}", outcome="done")
    wait_until(lambda: cloud.newest("status")["connection"] > first, "a new connection")
    assert home.key.read_bytes() != old
    assert not home.next_key.exists()
    assert "PRIVATE KEY" not in str(server.requests)
    again = cloud.command("rotate-key", 2)  # proves itself with the new key
    cloud.await_newest(f"ack/{again}", outcome="done")


def test_a_control_plane_that_does_not_certify_leaves_the_old_key(
    start: Start, cloud: Cloud, home: Home, server: ControlServer
) -> None:
    old = home.key.read_bytes()
    server.keys.clear()
    start()
    cloud.await_newest("status", state="online")
    asked = cloud.command("rotate-key", 1)
    cloud.await_newest(f"ack/{asked}", outcome="failed", reason="not_certified")
    assert home.key.read_bytes() == old


def test_a_certificate_that_the_broker_refuses_is_given_up_for_the_old_one(
    start: Start, cloud: Cloud, home: Home, tmp_path: Path
) -> None:
    """Certified by an authority that the broker does not know, before the agent was killed."""
    (tmp_path / "elsewhere").mkdir()
    stranger = new_authority(tmp_path / "elsewhere")
    old = home.key.read_bytes()
    identity = Identity(home)
    identity.keep(stranger.sign_request(identity.prepare("acme/van-7"), "acme/van-7"))
    device = start()
    cloud.await_newest("status", state="online")
    wait_until(lambda: not home.next_key.exists(), "the new key is given up")
    assert home.key.read_bytes() == old
    assert device.agent.presence.online


def test_kill_9_before_the_new_key_has_connected_tries_it_at_the_next_start(
    start: Start, cloud: Cloud, home: Home, authority: Authority
) -> None:
    identity = Identity(home)
    identity.keep(authority.sign_request(identity.prepare("acme/van-7"), "acme/van-7"))
    new = home.next_key.read_bytes()
    start()
    cloud.await_newest("status", state="online")
    wait_until(lambda: home.key.read_bytes() == new, "the new key is in use")
