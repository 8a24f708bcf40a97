"""One client of the embedded broker, from its first packet to its last."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

from amqtt.mqtt.connack import CONNECTION_ACCEPTED, NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.pingreq import PingReqPacket
from amqtt.mqtt.pingresp import PingRespPacket
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsuback import UnsubackPacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket

from cloud_control.adapters.broker import FIRST_PACKET_SECONDS, MAX_WAITING_BYTES
from cloud_control.adapters.exchange import Exchange, Message
from cloud_control.adapters.grants import Grants, covers
from cloud_control.adapters.packets import BadPacket, Packet, read_packet
from fleet_contract.strict_json import MAX_PAYLOAD
from fleet_contract.topics import MAX_TOPIC

LEVEL_3_1_1 = 4
REFUSED = 0x80
LONGEST_SILENCE = 90.0  # seconds, also for a client that asks for no keep-alive
MAX_SUBSCRIPTIONS = 32


class Session:
    """Its name and grants come from its certificate; the client id that it sends counts nothing.

    Sessions are clean. A message of QoS 1 is sent once: TCP delivers it or the connection ends.
    """

    def __init__(
        self,
        exchange: Exchange,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        name: str,
        serial: int,
        grants: Grants,
    ) -> None:
        self.name, self.serial = name, serial
        self._exchange, self._grants = exchange, grants
        self._reader, self._writer = reader, writer
        self._subscriptions: dict[str, int] = {}
        self._will: Message | None = None
        self._ended = False
        self._packet_ids = itertools.cycle(range(1, 65536))

    async def serve(self) -> None:
        """Until the client leaves or breaks a rule; its will is published if it said no goodbye."""
        try:
            async with asyncio.timeout(FIRST_PACKET_SECONDS):
                first = await read_packet(self._reader)
            await self._packets(self._connect(first))
        except (BadPacket, OSError, EOFError, TimeoutError):
            pass
        finally:
            self.end()

    def deliver(self, message: Message, retained: bool) -> None:
        granted = [q for wanted, q in self._subscriptions.items() if covers(wanted, message.topic)]
        if granted and self._grants.may_read(message.topic) and not self._ended:
            self._deliver(message, min(message.qos, max(granted)), retained)

    def end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._exchange.leave(self)
        if self._will is not None:
            self._exchange.publish(self._will)
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.transport.abort()

    def _connect(self, first: Packet) -> float:
        """Let it in; returns the seconds of silence after which it counts as gone."""
        if not isinstance(first, ConnectPacket) or first.proto_level != LEVEL_3_1_1:
            raise BadPacket("the first packet is no CONNECT of MQTT 3.1.1")
        if first.will_flag:
            will = Message(
                first.will_topic or "",
                bytes(first.will_message or b""),
                min(first.will_qos, 1),
                first.will_retain_flag,
            )
            if not self._may_publish(will.topic):
                self._send(ConnackPacket.build(0, NOT_AUTHORIZED))
                raise BadPacket("a will on a foreign topic")
            self._will = will
        self._exchange.join(self)
        self._send(ConnackPacket.build(0, CONNECTION_ACCEPTED))
        return min(1.5 * first.keep_alive, LONGEST_SILENCE) if first.keep_alive else LONGEST_SILENCE

    async def _packets(self, silence: float) -> None:
        while not self._ended:
            async with asyncio.timeout(silence):
                packet = await read_packet(self._reader)
            match packet:
                case PublishPacket():
                    self._publish(packet)
                case SubscribePacket():
                    self._subscribe(packet)
                case UnsubscribePacket():
                    for wanted in packet.payload.topics if packet.payload else ():
                        self._subscriptions.pop(wanted, None)
                    self._send(UnsubackPacket.build(_id_of(packet)))
                case PingReqPacket():
                    self._send(PingRespPacket.build())
                case PubackPacket():
                    pass
                case DisconnectPacket():
                    self._will = None
                    return
                case _:
                    raise BadPacket("a packet that no client sends")
            await self._writer.drain()

    def _publish(self, packet: PublishPacket) -> None:
        """What is not granted is acknowledged and dropped, as MQTT 3.1.1 has no other answer."""
        qos, topic = packet.qos or 0, packet.topic_name or ""
        if qos > 1:
            raise BadPacket("QoS 2")
        payload = packet.data or b""
        if len(payload) <= MAX_PAYLOAD and self._may_publish(topic):
            self._exchange.publish(Message(topic, payload, qos, packet.retain_flag))
        if qos:
            self._send(PubackPacket.build(_id_of(packet)))

    def _subscribe(self, packet: SubscribePacket) -> None:
        wanted = packet.payload.topics if packet.payload else []
        answers, fresh = [], []
        for pattern, qos in wanted:
            room = len(self._subscriptions) < MAX_SUBSCRIPTIONS or pattern in self._subscriptions
            if room and qos <= 2 and self._grants.may_subscribe(pattern):
                answers.append(min(qos, 1))
                fresh.append((pattern, min(qos, 1)))
                self._subscriptions[pattern] = min(qos, 1)
            else:
                answers.append(REFUSED)
        self._send(SubackPacket.build(_id_of(packet), answers))
        for pattern, qos in fresh:
            for message in self._exchange.retained(pattern):
                if self._grants.may_read(message.topic):
                    self._deliver(message, min(message.qos, qos), retained=True)

    def _may_publish(self, topic: str) -> bool:
        return len(topic.encode()) <= MAX_TOPIC and self._grants.may_write(topic)

    def _deliver(self, message: Message, qos: int, retained: bool) -> None:
        number = next(self._packet_ids) if qos else None
        self._send(
            PublishPacket.build(message.topic, message.payload, number, False, qos, retained)
        )

    def _send(self, packet: Packet) -> None:
        if self._writer.transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            self._writer.transport.abort()  # it does not read; it may come back and start afresh
        elif not self._writer.is_closing():
            self._writer.write(packet.to_bytes())


def _id_of(packet: Packet) -> int:
    header = packet.variable_header
    if header is None or not header.packet_id:
        raise BadPacket("no packet identifier")
    return int(header.packet_id)
