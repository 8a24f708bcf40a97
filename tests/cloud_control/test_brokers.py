"""What every broker must do, and what it must refuse. The attacks are named after what they try."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from cloud_control.adapters.broker import Broker
from cloud_control.adapters.eviction import evict
from cloud_control.adapters.mosquitto import Mosquitto
from cloud_control.errors import BrokerError
from cloud_control.pki import CONTROL
from fleet_contract.strict_json import MAX_PAYLOAD
from tests.cloud_control.brokers import (
    HOST,
    KINDS,
    PATIENCE,
    Identity,
    Place,
    Wire,
    free_port,
    make_broker,
    needs_mosquitto,
    running,
    wait_until,
)

ROOT = "veilcast/v1"


@pytest.fixture(scope="module", params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with running(request.param, tmp_path_factory.mktemp("broker")) as there:
        yield there


@pytest.fixture
def control(place: Place) -> Iterator[Wire]:
    with place.client(CONTROL) as client:
        client.subscribe(f"{ROOT}/#")
        yield client


def refused_before_mqtt(place: Place, identity: Identity | None) -> bool:
    """Whether TLS ends without an answer to CONNECT."""
    try:
        with Wire(place, identity) as client:
            return not client.accepted
    except (ssl.SSLError, OSError):
        return True


def test_an_agent_reads_and_writes_its_own_topics(place: Place, control: Wire) -> None:
    with place.client("acme/own") as agent:
        assert agent.accepted
        wanted = [f"{ROOT}/acme/own/{tail}" for tail in ("status", "desired", "cmd/+")]
        assert not any(answer.is_failure for answer in agent.subscribe(*wanted))
        for tail in ("status", "reported", "streams/cam/state", "telemetry", "ack/some-command"):
            agent.publish(f"{ROOT}/acme/own/{tail}", tail.encode())
            control.hears(f"{ROOT}/acme/own/{tail}", tail.encode())
        for tail in ("desired", "cmd/veil"):
            control.publish(f"{ROOT}/acme/own/{tail}", tail.encode())
            agent.hears(f"{ROOT}/acme/own/{tail}", tail.encode())


@pytest.mark.parametrize(
    "topic",
    [
        f"{ROOT}/acme/victim/status",
        f"{ROOT}/acme/victim/desired",
        f"{ROOT}/acme/victim/cmd/unveil",
        f"{ROOT}/other/thief/status",
        f"{ROOT}/acme/thief/desired",
        f"{ROOT}/acme/thief/cmd/unveil",
        f"{ROOT}/acme/thief/streams/a/b/state",
        f"{ROOT}/acme/thief",
        f"{ROOT}/control",
        "elsewhere",
    ],
)
def test_writing_a_foreign_topic_reaches_nobody(place: Place, control: Wire, topic: str) -> None:
    with place.client("acme/victim") as victim, place.client("acme/thief") as thief:
        victim.subscribe(f"{ROOT}/acme/victim/desired", f"{ROOT}/acme/victim/cmd/+")
        thief.publish(topic, b"forged", retain=True)
        thief.publish(f"{ROOT}/acme/thief/status", b"after it")
        control.hears(f"{ROOT}/acme/thief/status", b"after it")
        control.publish(f"{ROOT}/acme/victim/desired", b"after it")
        victim.hears(f"{ROOT}/acme/victim/desired", b"after it")
        assert all(payload != b"forged" for _, payload, _ in control.heard + victim.heard)
    with place.client(CONTROL) as later:
        later.subscribe("#", f"{ROOT}/#")
        later.publish(f"{ROOT}/acme/later/status", b"last")
        later.hears(f"{ROOT}/acme/later/status", b"last")
        assert all(payload != b"forged" for _, payload, _ in later.heard)


@pytest.mark.parametrize(
    "wanted",
    [
        "#",
        "+/+/+/+/+",
        f"{ROOT}/#",
        f"{ROOT}/+/+/desired",
        f"{ROOT}/acme/+/desired",
        f"{ROOT}/acme/victim/desired",
        f"{ROOT}/acme/victim/#",
        "$SYS/#",
        "$share/group/veilcast/v1/acme/victim/desired",
    ],
)
def test_listening_to_foreign_topics_hears_nothing(
    place: Place, control: Wire, wanted: str
) -> None:
    """Retained before, or published now: a desired document holds stream keys."""
    control.publish(f"{ROOT}/acme/victim/desired", b"secret", retain=True)
    control.hears(f"{ROOT}/acme/victim/desired", b"secret")
    with place.client("acme/thief") as thief:
        thief.subscribe(wanted)
    with place.client("acme/thief") as thief:
        thief.subscribe(wanted)
        thief.subscribe(f"{ROOT}/acme/thief/desired")
        control.publish(f"{ROOT}/acme/victim/desired", b"newer secret", retain=True)
        control.publish(f"{ROOT}/acme/thief/desired", b"own")
        thief.hears(f"{ROOT}/acme/thief/desired", b"own")
        assert thief.topics() == {f"{ROOT}/acme/thief/desired"}


def test_a_newcomer_is_handed_nothing_that_it_did_not_ask_for(place: Place, control: Wire) -> None:
    control.publish(f"{ROOT}/acme/someone/desired", b"secret", retain=True)
    control.hears(f"{ROOT}/acme/someone/desired", b"secret")
    with place.client("acme/newcomer") as newcomer:
        newcomer.subscribe(f"{ROOT}/acme/newcomer/desired")
        control.publish(f"{ROOT}/acme/newcomer/desired", b"own")
        newcomer.hears(f"{ROOT}/acme/newcomer/desired", b"own")
        assert newcomer.topics() == {f"{ROOT}/acme/newcomer/desired"}


@pytest.mark.parametrize("stolen", ["acme/victim", "acme.victim", CONTROL])
def test_a_stolen_client_id_ends_no_ones_connection(
    place: Place, control: Wire, stolen: str
) -> None:
    with place.client("acme/victim", client_id="acme.victim") as victim:
        victim.subscribe(f"{ROOT}/acme/victim/desired")
        with place.client("acme/thief", client_id=stolen) as thief:
            thief.publish(f"{ROOT}/acme/thief/status", stolen.encode())
            control.hears(f"{ROOT}/acme/thief/status", stolen.encode())
        control.publish(f"{ROOT}/acme/victim/desired", stolen.encode())
        victim.hears(f"{ROOT}/acme/victim/desired", stolen.encode())
        assert not victim.closed.is_set()
        assert not control.closed.is_set()


def test_a_second_connection_of_an_agent_ends_the_first(place: Place, control: Wire) -> None:
    topic = f"{ROOT}/acme/twice/status"
    with place.client("acme/twice", will=(topic, b"lost")) as first:
        with place.client("acme/twice") as second:
            second.publish(topic, b"newer")
            control.hears(topic, b"newer")
            control.hears(topic, b"lost")
            assert first.closed.wait(PATIENCE)
        first._client.disconnect()


def test_the_will_of_a_lost_connection_is_published_and_retained(
    place: Place, control: Wire
) -> None:
    topic = f"{ROOT}/acme/lost/status"
    with place.client("acme/lost", will=(topic, b"offline")) as agent:
        agent.vanish()
        control.hears(topic, b"offline")
    with place.client(CONTROL) as later:
        later.subscribe(topic)
        later.hears(topic, b"offline")
        assert later.heard[0][2], "marked as retained"


def test_a_goodbye_publishes_no_will(place: Place, control: Wire) -> None:
    topic = f"{ROOT}/acme/polite/status"
    with place.client("acme/polite", will=(topic, b"offline")):
        pass
    with place.client("acme/polite") as agent:
        agent.publish(topic, b"back")
        control.hears(topic, b"back")
    assert (topic, b"offline", False) not in control.heard


@pytest.mark.parametrize("topic", [f"{ROOT}/acme/victim/status", f"{ROOT}/acme/thief/cmd/unveil"])
def test_a_will_on_a_foreign_topic_is_refused(place: Place, control: Wire, topic: str) -> None:
    with place.client("acme/thief", will=(topic, b"forged will")) as thief:
        if thief.accepted:
            thief.vanish()
    with place.client("acme/thief") as thief:
        thief.publish(f"{ROOT}/acme/thief/status", b"after the will")
        control.hears(f"{ROOT}/acme/thief/status", b"after the will")
    assert all(payload != b"forged will" for _, payload, _ in control.heard)


def test_a_payload_of_the_limit_passes_and_a_larger_one_does_not(
    place: Place, control: Wire
) -> None:
    topic = f"{ROOT}/acme/large/reported"
    with place.client("acme/large") as agent:
        agent.publish(topic, b"x" * MAX_PAYLOAD)
        control.hears(topic, b"x" * MAX_PAYLOAD)
        agent.publish(topic, b"y" * (MAX_PAYLOAD + 1), qos=0)
        agent.publish(topic, b"z" * (4 * MAX_PAYLOAD), qos=0)
        assert agent.closed.wait(PATIENCE)
        agent._client.disconnect()
    with place.client("acme/large") as agent:
        agent.publish(topic, b"still served")
        control.hears(topic, b"still served")
    lengths = [len(payload) for heard, payload, _ in control.heard if heard == topic]
    assert lengths == [MAX_PAYLOAD, len(b"still served")]


def test_an_empty_payload_clears_what_is_retained(place: Place, control: Wire) -> None:
    topic = f"{ROOT}/acme/cleared/desired"
    control.publish(topic, b"document", retain=True)
    control.publish(topic, b"", retain=True)
    control.hears(topic, b"")
    with place.client("acme/cleared") as agent:
        agent.subscribe(topic)
        control.publish(topic, b"now")
        agent.hears(topic, b"now")
        assert [payload for _, payload, _ in agent.heard] == [b"now"]


def test_nobody_without_a_certificate_is_let_in(place: Place) -> None:
    assert refused_before_mqtt(place, None)


def test_nobody_with_a_certificate_of_another_authority_is_let_in(
    place: Place, tmp_path: Path
) -> None:
    with running("embedded", tmp_path) as elsewhere:
        assert refused_before_mqtt(place, elsewhere.identity("acme/van-7"))


def test_the_certificate_of_the_server_is_none_of_a_client(place: Place) -> None:
    certificate, key = place.authority.identify_server(["localhost", HOST])
    assert refused_before_mqtt(place, Identity("server", certificate, key))


def test_a_plain_connection_is_not_served(place: Place) -> None:
    with socket.create_connection((HOST, place.port), timeout=PATIENCE) as plain:
        plain.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04plain"[:18])
        with contextlib.suppress(ConnectionResetError):
            answer = plain.recv(64)
            assert answer[:1] != b"\x20", "CONNACK without TLS"


def test_a_revoked_certificate_is_not_let_in_again(place: Place, control: Wire) -> None:
    identity = place.identity("acme/revoked")
    topic = f"{ROOT}/acme/revoked/status"
    with place.client("acme/revoked", will=(topic, b"lost")) as agent:
        agent.publish(topic, b"in")
        control.hears(topic, b"in")
        place.authority.revoke(identity.pem)
        place.broker.reload()
        wait_until(lambda: refused_before_mqtt(place, identity), "the revocation takes effect")
        assert agent.accepted
        evict(place.authority, identity.name, HOST, place.port)
        assert agent.closed.wait(PATIENCE)
        control.hears(topic, b"lost")
        agent._client.disconnect()
    with place.client("acme/still-good") as other:
        assert other.accepted


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 64,
        b"\xff" * 64,
        b"\x10\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x10\xff\xff\xff\x7f",  # 256 MB to come
        b"\x30\x02\x00\x00",  # PUBLISH before CONNECT
        b"\x10\x00",
        b"\x10\x04\x00\x04MQ",
    ],
)
def test_garbage_ends_only_its_own_connection(place: Place, control: Wire, garbage: bytes) -> None:
    context = place.context(place.identity("acme/noisy"))
    with (
        socket.create_connection((HOST, place.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as noisy,
    ):
        noisy.sendall(garbage)
        with contextlib.suppress(OSError):
            noisy.shutdown(socket.SHUT_WR)
            while noisy.recv(4096):
                pass
    with place.client("acme/quiet") as quiet:
        quiet.publish(f"{ROOT}/acme/quiet/status", garbage)
        control.hears(f"{ROOT}/acme/quiet/status", garbage)


def test_a_port_that_is_taken_is_named(place: Place, tmp_path: Path) -> None:
    kind = "mosquitto" if isinstance(place.broker, Mosquitto) else "embedded"
    second = make_broker(kind, tmp_path, place.authority, place.port)
    with pytest.raises(BrokerError, match=f"listen on {HOST}:{place.port}"):
        second.start()


@needs_mosquitto
def test_mosquitto_keeps_what_is_retained_over_a_restart(tmp_path: Path) -> None:
    topic = f"{ROOT}/acme/van-7/desired"
    with running("mosquitto", tmp_path) as place:
        with place.client(CONTROL) as control:
            control.publish(topic, b"kept", retain=True)
            control.subscribe(topic)
            control.hears(topic, b"kept")
        place.broker.stop()
        place.broker = make_broker("mosquitto", tmp_path, place.authority, place.port)
        place.broker.start()
        with place.client("acme/van-7") as agent:
            agent.subscribe(topic)
            agent.hears(topic, b"kept")
        place.broker.stop()


@needs_mosquitto
def test_mosquitto_is_started_again_when_it_is_killed(tmp_path: Path) -> None:
    with running("mosquitto", tmp_path) as place:
        broker = mosquitto_of(place.broker)
        first = broker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: broker.pid not in {None, first}, "a new process")
        wait_until(lambda: _reachable(place.port), "a broker that listens")
        with place.client("acme/van-7") as agent:
            assert agent.accepted


@needs_mosquitto
def test_a_mosquitto_left_by_a_killed_control_plane_is_replaced(tmp_path: Path) -> None:
    with running("mosquitto", tmp_path) as place:
        left = mosquitto_of(place.broker)
        left._ending.set()  # as if nobody watched it any more
        second = mosquitto_of(make_broker("mosquitto", tmp_path, place.authority, place.port))
        second.start()
        assert second.pid not in {None, left.pid}
        with place.client("acme/van-7") as agent:
            assert agent.accepted
        second.stop()


@needs_mosquitto
def test_a_mosquitto_that_cannot_start_says_why(tmp_path: Path) -> None:
    with running("embedded", tmp_path) as place:
        broker = make_broker("mosquitto", tmp_path, place.authority, free_port())
        place.authority.revoked_file.write_text("damaged")
        with pytest.raises(BrokerError, match="Mosquitto did not start"):
            broker.start()


def test_mqtt_5_is_answered_and_refused_by_the_embedded_broker(tmp_path: Path) -> None:
    with (
        running("embedded", tmp_path) as place,
        place.client("acme/van-7", protocol=mqtt.MQTTv5) as agent,
    ):
        assert not agent.accepted


def mosquitto_of(broker: Broker) -> Mosquitto:
    assert isinstance(broker, Mosquitto)
    return broker


def _reachable(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False
