"""The control plane's end of MQTT: it hears every agent and speaks to each."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from cloud_control.errors import BrokerError
from cloud_control.pki import CONTROL
from fleet_contract.errors import ContractError
from fleet_contract.topics import Address, control_reads, parse_topic

KEEP_ALIVE = 30  # seconds
MAX_IN_FLIGHT = 1000  # unanswered by the broker
MAX_WAITING = 20_000  # while the broker is away; the newest are refused first

Handler = Callable[[Address, bytes], None]

log = structlog.get_logger()


class MqttBus:
    """Channels of the contract over one TLS connection, kept up from `start` to `stop`.

    Handlers are called one message after the other, in the broker's order, on the connection's
    own thread. A message of QoS 1 is acknowledged once they are through: while they work, more
    wait in the broker, which drops the newest beyond its limit. So a handler should only put
    down what it got.

    What is published while the broker is away is sent when it is back, up to MAX_WAITING.
    There is one client of this name, so its reconnections need no spreading.
    """

    def __init__(self, host: str, port: int, authority: Path, certificate: Path, key: Path) -> None:
        self._host, self._port = host, port
        self._handlers: list[Handler] = []
        self._on_connected: list[Callable[[], None]] = []
        self._subscribed = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, CONTROL, protocol=mqtt.MQTTv311)
        try:
            client.tls_set(
                str(authority), str(certificate), str(key), tls_version=ssl.PROTOCOL_TLS_CLIENT
            )
        except (OSError, ValueError) as problem:
            raise BrokerError(
                f"The control plane's own certificate cannot be used ({problem}); "
                f"remove {certificate} to have it made anew."
            ) from None
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.max_queued_messages_set(MAX_WAITING)
        client.reconnect_delay_set(min_delay=1, max_delay=8)
        client.on_connect = self._connected
        client.on_subscribe = self._subscription_granted
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        self._client = client

    @property
    def connected(self) -> bool:
        """Whether what agents say arrives now."""
        return self._subscribed.is_set()

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost, in the background."""
        self._client.connect_async(self._host, self._port, KEEP_ALIVE)
        self._client.loop_start()

    def stop(self) -> None:
        """Send what waits, as far as the broker takes it at once, and disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
        self._subscribed.clear()

    def wait_connected(self, seconds: float) -> bool:
        """Whether it became connected in time."""
        return self._subscribed.wait(seconds)

    def subscribe(self, handler: Handler) -> None:
        """Call it with every message of every agent; what breaks the topics' rules is left out."""
        self._handlers.append(handler)

    def on_connected(self, handler: Callable[[], None]) -> None:
        """Call it after each connection, on the connection's thread, before any message."""
        self._on_connected.append(handler)

    def publish(self, address: Address, payload: bytes) -> None:
        """Send with the QoS and retain flag of its channel. Any thread may call it.

        Raises BrokerError when MAX_WAITING messages wait already.
        """
        channel = address.channel
        sent = self._client.publish(str(address), payload, channel.qos, channel.retain)
        if sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise BrokerError(f"The broker is away and {MAX_WAITING} messages wait for it already.")

    def clear(self, address: Address) -> None:
        """Remove what is retained there."""
        self.publish(address, b"")

    def _connected(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any
    ) -> None:
        if reason.is_failure:
            log.error("the broker refuses the control plane", reason=str(reason))
            return
        wanted: list[tuple[str, int]] = [(one.filter, one.qos) for one in control_reads()]
        client.subscribe(wanted)

    def _subscription_granted(
        self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("the broker grants the control plane too little; look at its access rules")
            return
        log.info("connected to the broker")
        self._subscribed.set()
        for handler in self._on_connected:
            _guarded(handler)

    def _disconnected(
        self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any
    ) -> None:
        self._subscribed.clear()
        log.info("disconnected from the broker", reason=str(reason))

    def _message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with contextlib.suppress(ContractError, UnicodeDecodeError):
            address = parse_topic(message.topic)
            for handler in self._handlers:
                _guarded(handler, address, message.payload)


def _guarded(handler: Callable[..., None], *arguments: object) -> None:
    """One message that its handler cannot take must not end the connection for all."""
    try:
        handler(*arguments)
    except Exception:
        log.exception("a message could not be handled")
