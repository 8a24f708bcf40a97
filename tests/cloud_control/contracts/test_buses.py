"""What devices hear of any bus: the control plane's MQTT client, and IoT Core's publishing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud_control.adapters.aws.bus import IotBus
from cloud_control.adapters.mqtt import MqttBus
from cloud_control.pki import CONTROL
from cloud_control.ports import Bus
from fleet_contract.topics import Address, Kind
from tests.cloud_control.aws.front import fronted
from tests.cloud_control.aws.iot_core import Topics
from tests.cloud_control.brokers import HOST, Place, needs_mosquitto, running, wait_until

pytestmark = needs_mosquitto

DESIRED = Address(Kind.DESIRED, "acme", "van-7")
COMMAND = Address(Kind.COMMAND, "acme", "van-7", "stop")
BOTH = (f"veilcast/v1/{DESIRED.fleet}/{DESIRED.agent}/desired", "veilcast/v1/acme/van-7/cmd/+")


@dataclass
class Line:
    bus: Bus
    place: Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running("mosquitto", tmp_path_factory.mktemp("broker")) as found:
        yield found


@pytest.fixture(params=["mqtt", "iot"])
def line(request: pytest.FixtureRequest, place: Place) -> Iterator[Line]:
    own = place.identity(CONTROL)
    authority: Path = place.authority.certificate_file
    mqtt = MqttBus(HOST, place.port, authority, own.certificate, own.key)
    mqtt.start()
    try:
        wait_until(lambda: mqtt.connected, "a connection")
        if request.param == "mqtt":
            yield Line(mqtt, place)
        else:
            with fronted(request.getfixturevalue("cloud")) as front:
                front.rules.append(Topics(mqtt))
                yield Line(IotBus(front.cloud.client("iot-data")), place)
        mqtt.clear(DESIRED)
    finally:
        mqtt.stop()


def test_a_device_hears_what_is_published_to_it(line: Line) -> None:
    assert line.bus.connected
    with line.place.client("acme/van-7") as device:
        device.subscribe(*BOTH)
        line.bus.publish(DESIRED, b'{"v": 1}')
        line.bus.publish(COMMAND, b'{"v": 2}')
        device.hears(str(DESIRED), b'{"v": 1}')
        device.hears(str(COMMAND), b'{"v": 2}')


def test_a_document_waits_for_its_device_and_a_command_does_not(line: Line) -> None:
    line.bus.publish(COMMAND, b"late")
    line.bus.publish(DESIRED, b"first")
    line.bus.publish(DESIRED, b"newest")
    time.sleep(0.3)
    with line.place.client("acme/van-7") as device:
        device.subscribe(*BOTH)
        device.hears(str(DESIRED), b"newest")
        assert device.heard == [(str(DESIRED), b"newest", True)]


def test_what_is_cleared_waits_no_more(line: Line) -> None:
    line.bus.publish(DESIRED, b"newest")
    line.bus.clear(DESIRED)
    line.bus.publish(DESIRED, b"after")
    line.bus.clear(DESIRED)
    time.sleep(0.3)
    with line.place.client("acme/van-7") as device:
        device.subscribe(*BOTH)
        line.bus.publish(COMMAND, b"now")
        device.hears(str(COMMAND), b"now")
        assert device.topics() == {str(COMMAND)}
