"""MQTT packets read and written with amqtt's codec, bounded before anything is decoded."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, TypeAlias

from amqtt.adapters import BufferReader
from amqtt.errors import AMQTTError, CodecError, MQTTError, NoDataError
from amqtt.mqtt import packet_class
from amqtt.mqtt.packet import MQTTFixedHeader, MQTTPacket

from cloud_control.adapters.broker import MAX_TOPIC_AND_HEADER
from fleet_contract.strict_json import MAX_PAYLOAD

Packet: TypeAlias = MQTTPacket[Any, Any, Any]

_DECODING = (AMQTTError, CodecError, MQTTError, NoDataError, ValueError, struct.error)


class BadPacket(Exception):  # noqa: N818
    """What came is no packet that this broker takes; its sender is disconnected."""


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    """The next packet; raises BadPacket, or IncompleteReadError where the connection ended."""
    first = (await reader.readexactly(1))[0]
    length = await _remaining(reader)
    if length > MAX_PAYLOAD + MAX_TOPIC_AND_HEADER:
        raise BadPacket(f"a packet of {length} bytes")
    body = await reader.readexactly(length)
    header = MQTTFixedHeader(first >> 4, first & 0x0F, length)
    try:
        packet: Packet = await packet_class(header).from_stream(BufferReader(body), header)
    except _DECODING as problem:
        raise BadPacket(str(problem)) from None
    return packet


async def _remaining(reader: asyncio.StreamReader) -> int:
    length = 0
    for place in range(4):
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return length
    raise BadPacket("a length of more than four bytes")
