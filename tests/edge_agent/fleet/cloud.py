"""The control plane's end of the link, as small as can be: it publishes and remembers."""

from __future__ import annotations

import json
import ssl
import threading
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from fleet_contract.topics import ROOT
from tests.edge_agent.fleet.broker import Broker
from tests.edge_agent.fleet.patience import PATIENCE_S, wait_until


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Cloud:
    """Sees and may say everything below the protocol's root. `name` is its certificate's."""

    def __init__(
        self, broker: Broker, name: str = "control", prefix: str = f"{ROOT}/acme/van-7"
    ) -> None:
        self.prefix = prefix
        self._seen: list[tuple[str, bytes, bool]] = []
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        tls = ssl.create_default_context(cafile=str(broker.authority.file))
        certificate, key = broker.authority.issue(broker.folder, name)
        tls.load_cert_chain(certificate, key)
        self.client.tls_set_context(tls)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda *_: self.client.subscribe(f"{ROOT}/#", 1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._message
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def say(self, tail: str, document: Any, *, retain: bool = False) -> None:
        """Publish below the agent's prefix, and wait until the broker has it."""
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = self.client.publish(f"{self.prefix}/{tail}", payload, 1, retain)
        sent.wait_for_publish(PATIENCE_S)

    def desire(self, version: int, *streams: dict[str, Any], **fields: Any) -> None:
        document = {"v": 1, "version": version, "issued_at": 1, "streams": streams, **fields}
        self.say("desired", document, retain=True)

    def command(self, name: str, number: int, *, retain: bool = False, **fields: Any) -> str:
        """Ask now, for half a minute; the command's id, made from `number`."""
        found = f"command-number-{number:04d}"
        life = {"issued_at": now_ms(), "expires_at": now_ms() + 300_000}
        self.say(f"cmd/{name}", {"v": 1, "id": found, **life, **fields}, retain=retain)
        return found

    def all(self, tail: str) -> list[dict[str, Any]]:
        """Every message on one topic, oldest first; an empty one is {}."""
        with self._lock:
            seen = list(self._seen)
        topic = f"{self.prefix}/{tail}"
        return [json.loads(payload or b"{}") for where, payload, _ in seen if where == topic]

    def newest(self, tail: str) -> dict[str, Any]:
        return (self.all(tail) or [{}])[-1]

    def topics(self) -> list[str]:
        """All topics in the order of their messages, below the agent's prefix."""
        with self._lock:
            return [where.removeprefix(f"{self.prefix}/") for where, _, _ in self._seen]

    def await_newest(self, tail: str, **fields: Any) -> dict[str, Any]:
        """The newest message on a topic, once it holds these values."""

        def fits() -> bool:
            newest = self.newest(tail)
            return bool(newest) and all(newest.get(name) == v for name, v in fields.items())

        wait_until(fits, f"{tail} with {fields}, not {self.newest(tail)}")
        return self.newest(tail)

    def _message(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self._seen.append((message.topic, bytes(message.payload), message.retain))
