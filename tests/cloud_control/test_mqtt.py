"""The control plane's end of MQTT, over both brokers."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_control.adapters.mqtt import MqttBus
from cloud_control.errors import BrokerError
from fleet_contract.topics import Address, Kind
from tests.cloud_control.brokers import HOST, KINDS, PATIENCE, Place, running, wait_until
from tests.cloud_control.test_brokers import mosquitto_of, needs_mosquitto

STATUS = Address(Kind.STATUS, "acme", "van-7")
DESIRED = Address(Kind.DESIRED, "acme", "van-7")
TELEMETRY = Address(Kind.TELEMETRY, "acme", "van-7")
COMMAND = Address(Kind.COMMAND, "acme", "van-7", "veil")


class Ear:
    """Remembers what the bus told it."""

    def __init__(self) -> None:
        self.heard: list[tuple[Address, bytes]] = []

    def __call__(self, address: Address, payload: bytes) -> None:
        self.heard.append((address, payload))
        if payload == b"poison":
            raise RuntimeError("cannot be handled")


def bus_at(place: Place) -> MqttBus:
    certificate, key = place.authority.identify_control()
    return MqttBus(HOST, place.port, place.authority.certificate_file, certificate, key)


@pytest.fixture(scope="module", params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with running(request.param, tmp_path_factory.mktemp("broker")) as there:
        yield there


@pytest.fixture
def bus(place: Place) -> Iterator[MqttBus]:
    made = bus_at(place)
    made.start()
    assert made.wait_connected(PATIENCE)
    yield made
    made.stop()


def test_what_agents_say_comes_in_their_order(place: Place, bus: MqttBus) -> None:
    ear = Ear()
    bus.subscribe(ear)
    with place.client("acme/van-7") as agent:
        for number in range(500):
            agent.publish(str(STATUS), b"%d" % number)
        wait_until(lambda: len(ear.heard) >= 500, "all statuses")
    assert ear.heard == [(STATUS, b"%d" % number) for number in range(500)]


def test_a_message_that_cannot_be_handled_is_the_only_one_lost(place: Place, bus: MqttBus) -> None:
    ear, second = Ear(), Ear()
    bus.subscribe(ear)
    bus.subscribe(second)
    with place.client("acme/van-7") as agent:
        for payload in (b"before", b"poison", b"after"):
            agent.publish(str(TELEMETRY), payload)
        wait_until(lambda: (TELEMETRY, b"after") in second.heard, "the message after it")
    assert second.heard == [(TELEMETRY, payload) for payload in (b"before", b"poison", b"after")]
    assert bus.connected


def test_documents_are_retained_and_commands_are_not(place: Place, bus: MqttBus) -> None:
    bus.publish(DESIRED, b"document")
    bus.publish(COMMAND, b"command")
    with place.client("acme/van-7") as agent:
        agent.subscribe(str(DESIRED), str(COMMAND))
        agent.hears(str(DESIRED), b"document")
        bus.publish(COMMAND, b"live command")
        agent.hears(str(COMMAND), b"live command")
        assert (str(COMMAND), b"command", True) not in agent.heard
        assert (str(DESIRED), b"document", True) in agent.heard
        bus.clear(DESIRED)
        agent.hears(str(DESIRED), b"")


def test_a_handler_may_publish(place: Place, bus: MqttBus) -> None:
    bus.subscribe(lambda _address, payload: bus.publish(COMMAND, b"answer to " + payload))
    with place.client("acme/van-7") as agent:
        agent.subscribe(str(COMMAND))
        agent.publish(str(STATUS), b"hello")
        agent.hears(str(COMMAND), b"answer to hello")


def test_it_says_when_it_is_connected(place: Place) -> None:
    bus, told = bus_at(place), threading.Event()
    bus.on_connected(told.set)
    assert not bus.connected
    bus.start()
    assert told.wait(PATIENCE)
    assert bus.connected
    bus.stop()
    assert not bus.connected


@needs_mosquitto
def test_a_killed_broker_is_connected_to_again_and_nothing_that_waited_is_lost(
    tmp_path: Path,
) -> None:
    with running("mosquitto", tmp_path) as place:
        bus, ear, connections = bus_at(place), Ear(), threading.Semaphore(0)
        bus.subscribe(ear)
        bus.on_connected(connections.release)
        bus.start()
        assert connections.acquire(timeout=PATIENCE)
        broker = mosquitto_of(place.broker)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)
        wait_until(lambda: not bus.connected, "the loss is noticed")
        bus.publish(DESIRED, b"written meanwhile")
        assert connections.acquire(timeout=PATIENCE)
        with place.client("acme/van-7") as agent:
            agent.subscribe(str(DESIRED))
            agent.hears(str(DESIRED), b"written meanwhile")
            agent.publish(str(STATUS), b"back")
            wait_until(lambda: (STATUS, b"back") in ear.heard, "agents are heard again")
        bus.stop()


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with (
        running("embedded", tmp_path) as place,
        pytest.raises(BrokerError, match="to have it made anew"),
    ):
        MqttBus(HOST, place.port, place.authority.certificate_file, tmp_path / "x", tmp_path / "y")
