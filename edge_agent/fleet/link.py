"""One MQTT connection over TLS, from its first byte to its end. It never connects anew by itself:
each connection has a number and a last will of its own."""

from __future__ import annotations

import ssl
import threading
from typing import Any

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.fleet.details import Details
from edge_agent.fleet.events import Arrived, Connected, Delivered, Lost, Post
from edge_agent.fleet.identity import KeyPair
from edge_agent.fleet.outbox import Outbox
from fleet_contract.acceptance import Arrival
from fleet_contract.codec import encode
from fleet_contract.errors import printable
from fleet_contract.status import Status
from fleet_contract.topics import Address, Kind, agent_reads, client_id

KEEPALIVE_S = 20
GOODBYE_S = 5.0
MAX_UNDER_WAY = 100

log = structlog.get_logger()


class Link:
    """Begins to connect at once. Tells `post` what happens, from threads of its own; `publish`,
    `delivered` and the ends are for the agent's thread.

    Raises ssl.SSLError or OSError at once when the key pair or the authorities cannot be read.
    """

    def __init__(
        self, details: Details, pair: KeyPair, authorities: str, will: Status, post: Post
    ) -> None:
        self.number = will.connection
        self._details, self._post = details, post
        self._outbox = Outbox(self._send)
        self._ended = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id(details.fleet, details.agent),
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        tls = ssl.create_default_context(cafile=authorities)
        tls.load_cert_chain(pair.certificate, pair.key)
        self._client.tls_set_context(tls)
        address = Address(Kind.STATUS, details.fleet, details.agent)
        channel = address.channel
        self._client.will_set(str(address), encode(will), channel.qos, channel.retain)
        self._client.max_queued_messages_set(MAX_UNDER_WAY)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._arrived
        self._client.on_publish = self._published
        self._client.on_disconnect = self._lost
        self._starting = threading.Lock()  # the client's own thread starts whole or not at all
        threading.Thread(target=self._connect, name="link", daemon=True).start()

    def publish(self, address: Address, payload: bytes) -> None:
        """Send as the contract says for this topic; newer replaces what has not gone yet."""
        self._outbox.put(address, payload)

    def delivered(self, mid: int) -> tuple[Address, bytes] | None:
        """Which message a `Delivered` was about."""
        return self._outbox.delivered(mid)

    def end(self, last: Status) -> None:
        """Say `last`, wait a moment until it has arrived, and disconnect without the will."""
        self._ended = True
        address = Address(Kind.STATUS, self._details.fleet, self._details.agent)
        sent = self._client.publish(
            str(address), encode(last), address.channel.qos, address.channel.retain
        )
        if sent.rc == mqtt.MQTT_ERR_SUCCESS:
            sent.wait_for_publish(GOODBYE_S)
        self._stop()

    def drop(self) -> None:
        """Give the connection up."""
        self._ended = True
        self._stop()

    def _stop(self) -> None:
        self._client.disconnect()
        with self._starting:
            self._client.loop_stop()

    def _connect(self) -> None:
        broker = self._details.broker
        try:
            self._client.connect(broker.host, broker.port, KEEPALIVE_S)
        except (OSError, ValueError) as problem:
            self._post(Lost(self.number, printable(str(problem), 120)))
            return
        with self._starting:
            if not self._ended:  # meanwhile
                self._client.loop_start()
                return
        self._client.disconnect()

    def _send(self, address: Address, payload: bytes) -> int | None:
        channel = address.channel
        sent = self._client.publish(str(address), payload, channel.qos, channel.retain)
        return sent.mid if sent.rc == mqtt.MQTT_ERR_SUCCESS else None

    def _connected(self, client: mqtt.Client, _: Any, __: Any, code: ReasonCode, ___: Any) -> None:
        if code.is_failure:
            return  # the broker closes, and `_lost` tells
        filters: list[tuple[str, int]] = [
            (each.filter, each.qos)
            for each in agent_reads(self._details.fleet, self._details.agent)
        ]
        client.subscribe(filters)
        self._post(Connected(self.number))

    def _subscribed(
        self, client: mqtt.Client, _: Any, __: int, codes: list[ReasonCode], ___: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            log.error("subscription_refused", mend="the broker must grant the agent its topics")
            client.disconnect()

    def _arrived(self, _: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._post(Arrived(self.number, Arrival(topic, bytes(message.payload), message.retain)))

    def _published(self, _: mqtt.Client, __: Any, mid: int, ___: Any, ____: Any) -> None:
        self._post(Delivered(self.number, mid))

    def _lost(self, _: mqtt.Client, __: Any, ___: Any, code: ReasonCode, ____: Any) -> None:
        if not self._ended:
            self._post(Lost(self.number, printable(str(code), 120)))
