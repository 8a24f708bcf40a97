"""A control plane behind a real socket, with agents that live in its bus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from cloud_control.adapters.certifier import LocalCertifier
from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.api.app import Reach, create_app
from cloud_control.cli import fleet as app
from cloud_control.domain.access import Role
from cloud_control.pki import Authority
from cloud_control.plane import Plane, assemble
from fleet_contract.ack import Ack
from fleet_contract.codec import decode, encode
from fleet_contract.commands import Command
from fleet_contract.desired import Desired
from fleet_contract.fields import Message
from fleet_contract.reported import ModelUpdate, Reported, RunningModel
from fleet_contract.status import Status
from fleet_contract.stream_state import StreamState
from fleet_contract.topics import Address, Kind
from tests.cloud_control.brokers import make_request
from tests.cloud_control.serving import serving

FLEET = "acme"
VERSION = "0.1.0"
SHA256 = "5d" * 32


class AgentsBus:
    """A bus whose other end applies every document at once and answers every command.

    silent: agents that answer nothing; failing: agents whose model updates are refused.
    """

    def __init__(self) -> None:
        self.connected = True
        self.silent: set[str] = set()
        self.failing: set[str] = set()
        self.asked: list[tuple[str, str, Command]] = []
        self.desired: dict[str, Desired] = {}
        self._handlers: list[Callable[[Address, bytes], None]] = []

    def subscribe(self, handler: Callable[[Address, bytes], None]) -> None:
        self._handlers.append(handler)

    def on_connected(self, handler: Callable[[], None]) -> None: ...

    def clear(self, address: Address) -> None:
        raise AssertionError(address)

    def publish(self, address: Address, payload: bytes) -> None:
        message = decode(address, payload).message
        if isinstance(message, Command):
            self.asked.append((address.agent, address.name, message))
        elif isinstance(message, Desired):
            self.desired[address.agent] = message
        if address.agent in self.silent:
            return
        if isinstance(message, Desired):
            self._apply(address.agent, message)
        elif isinstance(message, Command):
            consent = address.name == "unveil"
            ack = Ack(
                command=address.name, at=1, outcome="failed" if consent else "done",
                reason="needs_consent" if consent else None,
            )  # fmt: skip
            self.say(address.agent, ack, Kind.ACK, message.id)

    def say(self, agent: str, message: Message, kind: Kind, name: str = "") -> None:
        for handler in self._handlers:
            handler(Address(kind, FLEET, agent, name), encode(message))

    def join(self, agent: str) -> None:
        """The agent connects."""
        status = Status(
            state="online", connection=1, at=1, reason="connected", agent_version=VERSION
        )
        self.say(agent, status, Kind.STATUS)
        if agent in self.desired:
            self._apply(agent, self.desired[agent])

    def _apply(self, agent: str, desired: Desired) -> None:
        model, update = None, None
        if desired.model and agent in self.failing:
            update = ModelUpdate(
                version=desired.model.version, step="refused", reason="self_test_failed"
            )
        elif desired.model:
            model = RunningModel(
                name=desired.model.name, version=desired.model.version, sha256=SHA256
            )
        self.say(
            agent,
            Reported(
                at=1, agent_version=VERSION, applied=desired.version, model=model, update=update
            ),
            Kind.REPORTED,
        )
        for stream in desired.streams:
            state = StreamState(
                at=1, connection=1, run="running", state="PROTECTED",
                desired_version=desired.version, source_connected=True,
            )  # fmt: skip
            self.say(agent, state, Kind.STREAM_STATE, stream.id)


class Operator:
    """Types `veilcast fleet ...` at a control plane."""

    def __init__(self, plane: Plane, bus: AgentsBus, url: str, token: str) -> None:
        self.plane, self.bus, self.url, self.token = plane, bus, url, token

    def types(self, *words: str, token: str | None = None) -> Result:
        environment = {"VEILCAST_CONTROL": self.url, "VEILCAST_TOKEN": token or self.token}
        return CliRunner().invoke(app, list(words), env=environment)

    def does(self, *words: str) -> str:
        """What is printed, by a command that must succeed."""
        result = self.types(*words)
        assert result.exit_code == 0, result.output
        return result.output

    def token_of(self, role: Role) -> str:
        return self.plane.access.make("test", f"a {role}", role)[1]

    def enrol(self, *names: str, labels: dict[str, str] | None = None) -> None:
        for name in names:
            _, token = self.plane.enrolment.claim("test", FLEET, name, labels)
            key = ec.generate_private_key(ec.SECP256R1())
            self.plane.enrolment.enrol(token, make_request(key), None)
            self.bus.join(name)


@contextmanager
def operating(folder: Path) -> Iterator[Operator]:
    authority = Authority(folder / "ca")
    authority.create()
    certifier = LocalCertifier(authority, lambda: None, lambda _: None)
    bus = AgentsBus()
    plane = assemble(FLEET, MemoryStore(), bus, certifier, lambda: time.time_ns() // 1_000_000)
    bus.subscribe(plane.live.take)
    token = plane.access.make("system", "first admin", Role.ADMIN)[1]
    pem = authority.certificate_file.read_text()
    reach = Reach(("localhost", 8883), pem, dict, None, "http://localhost")
    with serving(create_app(plane, reach)) as url:
        yield Operator(plane, bus, url, token)


def refused(result: Result, *words: str) -> None:
    """It ended with the status of a refusal and one line that says all these words."""
    assert result.exit_code == 11, result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.output
