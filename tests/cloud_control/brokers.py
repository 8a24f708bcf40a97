"""Brokers to test against, devices with certificates, and clients that remember what they heard."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from cloud_control.adapters.broker import Broker, BrokerFiles
from cloud_control.adapters.embedded import EmbeddedBroker
from cloud_control.adapters.mosquitto import Mosquitto
from cloud_control.pki import CONTROL, Authority

PATIENCE = 30.0  # seconds
HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.01)


def make_request(key: ec.EllipticCurvePrivateKey, name: str = "device") -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, in files."""

    name: str
    certificate: Path
    key: Path

    @property
    def pem(self) -> str:
        return self.certificate.read_text()


@dataclass
class Place:
    """A broker that runs, and the authority whose clients it takes."""

    broker: Broker
    authority: Authority
    folder: Path
    port: int

    def identity(self, name: str) -> Identity:
        """Of a device, `fleet/agent`, or of the control plane; made at the first call."""
        if name == CONTROL:
            return Identity(CONTROL, *self.authority.identify_control())
        stem = name.replace("/", "+")
        found = Identity(name, self.folder / f"{stem}.crt", self.folder / f"{stem}.key")
        if not found.certificate.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            found.certificate.write_text(
                self.authority.certify(make_request(key), *name.split("/"))
            )
            found.key.write_bytes(private_pem(key))
        return found

    def client(self, name: str, **more: Any) -> Wire:
        return Wire(self, self.identity(name), **more)

    def context(self, identity: Identity | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.certificate_file))
        if identity is not None:
            context.load_cert_chain(identity.certificate, identity.key)
        return context


class Wire:
    """An MQTT client that keeps what it heard, in order. A context manager: it connects."""

    def __init__(
        self,
        place: Place,
        identity: Identity | None,
        client_id: str = "anything",
        will: tuple[str, bytes] | None = None,
        protocol: int = mqtt.MQTTv311,
    ) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.answers: list[Any] = []  # to CONNECT
        self.granted: list[list[Any]] = []
        self.closed = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        client.tls_set_context(place.context(identity))
        if will:
            client.will_set(will[0], will[1], 1, retain=True)
        client.on_connect = lambda _c, _d, _f, reason, _p: self.answers.append(reason)
        client.on_subscribe = lambda _c, _d, _m, reasons, _p: self.granted.append(reasons)
        client.on_disconnect = lambda *_: self.closed.set()
        client.on_message = lambda _c, _d, m: self.heard.append((m.topic, m.payload, m.retain))
        self._client, self._port = client, place.port

    def __enter__(self) -> Wire:
        self._client.connect(HOST, self._port)
        self._client.loop_start()
        wait_until(lambda: bool(self.answers) or self.closed.is_set(), "an answer to CONNECT")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def vanish(self) -> None:
        """Break off without a goodbye."""
        self._client.loop_stop()
        sock = self._client.socket()
        assert sock is not None
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    @property
    def accepted(self) -> bool:
        return bool(self.answers) and not self.answers[0].is_failure

    def subscribe(self, *filters: str) -> list[Any]:
        """The broker's answers, one for each filter."""
        before = len(self.granted)
        self._client.subscribe([(wanted, 1) for wanted in filters])
        wait_until(lambda: len(self.granted) > before or self.closed.is_set(), "a SUBACK")
        return self.granted[before] if len(self.granted) > before else []

    def publish(self, topic: str, payload: bytes, retain: bool = False, qos: int = 1) -> None:
        self._client.publish(topic, payload, qos, retain)

    def hears(self, topic: str, payload: bytes) -> None:
        """Wait for a message."""
        wait_until(
            lambda: any(heard[:2] == (topic, payload) for heard in self.heard),
            f"{payload[:40]!r} on {topic}",
        )

    def topics(self) -> set[str]:
        return {topic for topic, _, _ in self.heard}


needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None,
    reason="Mosquitto is not installed",
)

KINDS = [pytest.param("mosquitto", marks=needs_mosquitto), "embedded"]


def make_broker(kind: str, folder: Path, authority: Authority, port: int) -> Broker:
    authority.create()
    certificate, key = authority.identify_server(["localhost", HOST])
    files = BrokerFiles(authority.certificate_file, authority.revoked_file, certificate, key)
    if kind == "mosquitto":
        return Mosquitto(folder / "broker", files, HOST, port)
    return EmbeddedBroker(files, HOST, port)


@contextlib.contextmanager
def running(kind: str, folder: Path) -> Iterator[Place]:
    authority, port = Authority(folder / "ca"), free_port()
    broker = make_broker(kind, folder, authority, port)
    broker.start()
    try:
        yield Place(broker, authority, folder, port)
    finally:
        broker.stop()
