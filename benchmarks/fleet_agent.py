"""A simulated agent: the contract over real MQTT and TLS, without any video behind it."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from dataclasses import dataclass
from typing import Any

from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.connect import ConnectPacket, ConnectPayload, ConnectVariableHeader
from amqtt.mqtt.pingreq import PingReqPacket
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.subscribe import SubscribePacket

from cloud_control.adapters.packets import BadPacket, read_packet
from fleet_contract.codec import decode, encode
from fleet_contract.desired import Desired
from fleet_contract.fields import Message
from fleet_contract.reported import ModelUpdate, Reported, ReportedStream, RunningModel
from fleet_contract.status import Status
from fleet_contract.stream_state import StreamState
from fleet_contract.telemetry import StreamCounts, Telemetry
from fleet_contract.topics import Address, Kind, agent_reads, client_id
from fleet_contract.wanted_model import WantedModel

VERSION = "0.1.0"
KEEP_ALIVE = 30
UPDATE_SECONDS = 2.0  # from being told of a model to running it


@dataclass(frozen=True, slots=True)
class Arrival:
    """When an agent got a desired document; `at` is of the monotonic clock, in seconds."""

    agent: str
    version: int
    at: float


class SimulatedAgent:
    """Connects until it is cancelled, applies what is desired at once and says so."""

    def __init__(self, fleet: str, agent: str, host: str, port: int, tls: ssl.SSLContext) -> None:
        self.fleet, self.agent = fleet, agent
        self.connected = False
        self.connections = 0
        self.connected_at = 0.0
        self.arrivals: list[Arrival] = []
        self.fails_updates = False
        self._host, self._port, self._tls = host, port, tls
        self._began = time.monotonic()
        self._number = 0
        self._applied = 0
        self._model: WantedModel | None = None
        self._wanted: WantedModel | None = None
        self._update: ModelUpdate | None = None
        self._desired: Desired | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._packet_id = 0
        self._updating: asyncio.Task[None] | None = None

    async def run(self) -> None:
        failures = 0
        while True:
            self._number = max(self._number + 1, _now_ms())
            try:
                await self._connection()
            except (OSError, EOFError, TimeoutError, BadPacket):
                pass
            finally:
                failures = 0 if self.connected else failures + 1
                self.connected = False
                if self._writer is not None:
                    self._writer.transport.abort()
            await asyncio.sleep(random.uniform(0, min(60.0, 2.0 ** min(failures, 6))))

    async def telemetry(self, every: float) -> None:
        await asyncio.sleep(random.uniform(0, every))
        while True:
            if self.connected:
                self._publish(Kind.TELEMETRY, self._telemetry())
            await asyncio.sleep(every)

    async def _connection(self) -> None:
        async with asyncio.timeout(60):
            reader, self._writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls
            )
            self._send(self._connect())
            answer = await read_packet(reader)
            if not isinstance(answer, ConnackPacket) or answer.return_code:
                raise BadPacket("refused")
            wanted = [(one.filter, one.qos) for one in agent_reads(self.fleet, self.agent)]
            self._send(SubscribePacket.build(wanted, 1))
        self.connected, self.connected_at = True, time.monotonic()
        self.connections += 1
        self._publish(Kind.STATUS, self._status("online", "connected"))
        self._publish(Kind.REPORTED, self._reported())
        self._say_streams()
        await self._listen(reader)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        packet = asyncio.ensure_future(read_packet(reader))
        try:
            while True:
                done, _ = await asyncio.wait([packet], timeout=KEEP_ALIVE * 0.6)
                if not done:
                    self._send(PingReqPacket())
                    continue
                got = packet.result()
                packet = asyncio.ensure_future(read_packet(reader))
                if isinstance(got, PublishPacket):
                    self._arrived(got)
        finally:
            packet.cancel()

    def _arrived(self, packet: PublishPacket) -> None:
        if packet.qos:
            self._send(PubackPacket.build(packet.packet_id))
        address = Address(Kind.DESIRED, self.fleet, self.agent)
        if packet.topic_name != str(address) or not packet.data:
            return
        at = time.monotonic()
        wanted = decode(address, packet.data).message
        assert isinstance(wanted, Desired)
        if wanted.version <= self._applied:
            return
        self.arrivals.append(Arrival(self.agent, wanted.version, at))
        self._applied, self._desired = wanted.version, wanted
        self._publish(Kind.REPORTED, self._reported())
        if wanted.model is not None and wanted.model != self._wanted:
            self._wanted = wanted.model
            if self._updating is not None:
                self._updating.cancel()
            self._updating = asyncio.ensure_future(self._run_update(wanted.model))
        self._say_streams()

    async def _run_update(self, wanted: WantedModel) -> None:
        for step in ("downloading", "shadowing"):
            self._update = ModelUpdate.model_validate({"version": wanted.version, "step": step})
            self._publish(Kind.REPORTED, self._reported())
            await asyncio.sleep(random.uniform(0, UPDATE_SECONDS))
        if self.fails_updates and wanted != self._model:
            self._update = ModelUpdate(
                version=wanted.version, step="refused", reason="self_test_failed"
            )
        else:
            self._model = wanted
            self._update = ModelUpdate(version=wanted.version, step="done")
        self._publish(Kind.REPORTED, self._reported())

    def _say_streams(self) -> None:
        for stream in self._desired.streams if self._desired else ():
            state = StreamState(
                at=_now_ms(),
                connection=self._number,
                run="running",
                state="PROTECTED",
                desired_version=self._applied,
                fps=30.0,
                delay=0.9,
                source_connected=True,
            )
            self._publish(Kind.STREAM_STATE, state, stream.id)

    def _telemetry(self) -> Telemetry:
        uptime = time.monotonic() - self._began
        frames = int(uptime * 30)
        streams = tuple(
            StreamCounts(
                id=stream.id,
                fps=30.0,
                looks_per_second=8.0,
                look_seconds=0.04,
                decision_age=0.1,
                frames_in=frames,
                frames_protected=frames,
                bytes_out=frames * 12_000,
            )
            for stream in (self._desired.streams if self._desired else ())
        )
        return Telemetry(
            at=_now_ms(),
            connection=self._number,
            uptime=uptime,
            cpu=1.5,
            memory=400_000_000,
            streams=streams,
        )

    def _reported(self) -> Reported:
        model = self._model
        running = None
        if model is not None:
            running = RunningModel(name=model.name, version=model.version, sha256="0" * 64)
        return Reported(
            at=_now_ms(),
            agent_version=VERSION,
            applied=self._applied,
            streams=tuple(
                ReportedStream(id=stream.id, converged=True)
                for stream in (self._desired.streams if self._desired else ())
            ),
            model=running,
            update=self._update,
        )

    def _status(self, state: str, reason: str) -> Status:
        found = {"state": state, "reason": reason, "agent_version": VERSION}
        return Status.model_validate({**found, "connection": self._number, "at": _now_ms()})

    def _connect(self) -> ConnectPacket:
        will = Address(Kind.STATUS, self.fleet, self.agent)
        header = ConnectVariableHeader(keep_alive=KEEP_ALIVE)
        header.clean_session_flag = header.will_flag = header.will_retain_flag = True
        header.will_qos = 1
        payload = ConnectPayload(
            client_id(self.fleet, self.agent), str(will), encode(self._status("offline", "lost"))
        )
        return ConnectPacket(variable_header=header, payload=payload)

    def _publish(self, kind: Kind, message: Message, name: str = "") -> None:
        address = Address(kind, self.fleet, self.agent, name)
        channel = address.channel
        self._packet_id = self._packet_id % 65535 + 1
        number = self._packet_id if channel.qos else None
        self._send(
            PublishPacket.build(
                str(address), encode(message), number, False, channel.qos, channel.retain
            )
        )

    def _send(self, packet: Any) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(packet.to_bytes())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
