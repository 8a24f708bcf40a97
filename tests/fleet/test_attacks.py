"""Whoever has the control plane's own certificate can say anything to an agent that streams.

Each attack is named after what it tries. Each is refused and reported, and afterwards every picture
that left is looked at.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet_contract.strict_json import MAX_PAYLOAD
from tests.cloud_control.brokers import KINDS, Place, Wire, running
from tests.fleet.devices import LIGHT, Device
from tests.fleet.processes import veilcast, wait_for

pytestmark = pytest.mark.timeout(600)

FLEET, AGENT, STREAM = "acme", "van-7", "cam-1"
OWN = f"veilcast/v1/{FLEET}/{AGENT}"
VICTIM = f"veilcast/v1/{FLEET}/van-8"


@dataclass
class Attacker:
    """Speaks with the control plane's certificate, hears what the agent answers."""

    wire: Wire
    version: int = 0

    def say(self, tail: str, content: dict[str, Any] | bytes, retain: bool = False) -> None:
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.wire.publish(f"{OWN}/{tail}", payload, retain)

    def desire(self, **content: Any) -> int:
        """Publish a document with the next version."""
        self.version += 1
        self.say("desired", self.document(**content), retain=True)
        return self.version

    def document(self, **content: Any) -> dict[str, Any]:
        """The street's stream under the present version."""
        stream = {"id": STREAM, "source": {"ref": "cam"}, "sinks": [{"ref": "archive"}]}
        base = {"v": 1, "version": self.version, "issued_at": 1, "telemetry_seconds": 1}
        protection = LIGHT | content.pop("protection", {})
        return base | {"streams": [stream], "protection": protection} | content

    def newest(self, tail: str) -> dict[str, Any]:
        for topic, payload, _ in reversed(self.wire.heard):
            if topic == f"{OWN}/{tail}":
                return dict(json.loads(payload))
        return {}

    def acks(self) -> dict[str, dict[str, Any]]:
        prefix = f"{OWN}/ack/"
        heard = [(t, p) for t, p, _ in self.wire.heard if t.startswith(prefix)]
        return {topic.removeprefix(prefix): json.loads(payload) for topic, payload in heard}

    def dropped(self, reason: str) -> int:
        return int(self.newest("telemetry").get("dropped_commands", {}).get(reason, 0))


@pytest.fixture(scope="module", params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with running(request.param, tmp_path_factory.mktemp("attacks")) as there:
        yield there


@pytest.fixture(scope="module")
def device(place: Place, street: Path) -> Iterator[Device]:
    """Streams from before the first attack until after the last."""
    made = Device(place.folder / "devices", AGENT, street)
    identity = place.identity(f"{FLEET}/{AGENT}")
    made.adopt(
        FLEET, identity.certificate, identity.key, place.authority.certificate_file, place.port
    )
    made.agent.start()
    yield made
    made.agent.stop()
    made.assert_nothing_leaked()


@pytest.fixture(scope="module")
def attacker(place: Place, device: Device) -> Iterator[Attacker]:
    assert device.agent.alive
    with place.client("control") as wire:
        wire.subscribe("veilcast/v1/#")
        made = Attacker(wire)
        first = made.desire()
        wait_for(lambda: made.newest("reported").get("applied") == first, "the first document")
        wait_for(lambda: protected(made), "a protected stream")
        yield made
        wait_for(lambda: protected(made), "a protected stream after all attacks")
        assert counts(made)["unverified_frames_sent"] == 0


def protected(attacker: Attacker) -> bool:
    return bool(attacker.newest(f"streams/{STREAM}/state").get("state") == "PROTECTED")


def counts(attacker: Attacker) -> dict[str, Any]:
    return dict(next(iter(attacker.newest("telemetry").get("streams", [])), {}))


def command(seconds_ago: float = 0.0, **more: Any) -> dict[str, Any]:
    issued = int((time.time() - seconds_ago) * 1000)
    base = {"v": 1, "id": str(uuid.uuid4()), "issued_at": issued, "expires_at": issued + 30_000}
    return base | {"stream": STREAM} | more


def restored(attacker: Attacker) -> None:
    """A document as the operator wants it is in force, and nothing is held back."""
    version = attacker.desire()
    wait_for(lambda: attacker.newest("reported").get("applied") == version, "applied again")


LOOSENINGS: list[tuple[str, dict[str, Any]]] = [
    ("mosaic", {"mosaic": False}),
    ("classes.license_plate.hide", {"classes": {"license_plate": {"hide": False}}}),
    ("classes.license_plate.thresh", {"classes": {"license_plate": {"thresh": 1.0}}}),
    ("mask_scale", {"mask_scale": 1.0}),
    ("look_ahead", {"look_ahead": 0.0}),
    ("ignore_zones", {"ignore_zones": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}),
]


@pytest.mark.parametrize(("path", "protection"), LOOSENINGS, ids=[path for path, _ in LOOSENINGS])
def test_mosaic_off_without_consent(
    attacker: Attacker, path: str, protection: dict[str, Any]
) -> None:
    version = attacker.desire(protection=protection)
    wait_for(lambda: attacker.newest("reported").get("applied") == version, "the document")
    held = attacker.newest("reported")["held_back"]
    assert {"stream": STREAM, "path": path} in held
    restored(attacker)


def test_a_stream_removed_and_listed_anew_in_the_open(attacker: Attacker) -> None:
    """Forgetting a stream must not forget how it was protected."""
    without = attacker.desire(streams=[])
    wait_for(lambda: attacker.newest("reported").get("applied") == without, "no stream")
    attacker.say(f"streams/{STREAM}/state", b"")
    version = attacker.desire(protection={"mosaic": False})
    wait_for(lambda: attacker.newest("reported").get("applied") == version, "listed anew")
    assert {"stream": STREAM, "path": "mosaic"} in attacker.newest("reported")["held_back"]
    restored(attacker)


def test_an_unveil_without_consent(attacker: Attacker, device: Device) -> None:
    veil, unveil = command(), command()
    attacker.say("cmd/veil", veil)
    wait_for(lambda: attacker.acks().get(veil["id"], {}).get("outcome") == "done", "veiled")
    attacker.say("cmd/unveil", unveil)
    wait_for(lambda: unveil["id"] in attacker.acks(), "an answer")
    answer = attacker.acks()[unveil["id"]]
    assert (answer["outcome"], answer["reason"]) == ("failed", "needs_consent")
    assert attacker.newest(f"streams/{STREAM}/state")["veiled"] is True
    veilcast("consent", "give", STREAM, "unveil", "--minutes", "1", "--yes", "--home", device.home)
    allowed = command()
    attacker.say("cmd/unveil", allowed)
    wait_for(lambda: attacker.acks().get(allowed["id"], {}).get("outcome") == "done", "unveiled")
    wait_for(lambda: protected(attacker), "covered instead of veiled")


def test_a_retained_command(attacker: Attacker, device: Device) -> None:
    """Retained while the agent is away, handed over when it subscribes again."""
    sent = command()
    device.agent.stop()
    attacker.say("cmd/stop", sent, retain=True)
    device.write_settings("after a retained command")
    device.agent.start()
    wait_for(lambda: sent["id"] in attacker.acks(), "an answer")
    attacker.say("cmd/stop", b"", retain=True)
    assert attacker.acks()[sent["id"]]["reason"] == "retained"
    restored(attacker)


def test_an_expired_command(attacker: Attacker) -> None:
    sent = command(seconds_ago=60.0)
    attacker.say("cmd/stop", sent)
    wait_for(lambda: sent["id"] in attacker.acks(), "an answer")
    assert attacker.acks()[sent["id"]]["reason"] == "expired"


def test_a_command_from_the_future(attacker: Attacker) -> None:
    sent = command(seconds_ago=-3600.0)
    attacker.say("cmd/stop", sent)
    wait_for(lambda: sent["id"] in attacker.acks(), "an answer")
    assert attacker.acks()[sent["id"]]["reason"] == "from_future"


def test_a_replayed_command(attacker: Attacker) -> None:
    """The same bytes again, also after another command has undone them."""
    stop, start = command(), command()
    attacker.say("cmd/stop", stop)
    wait_for(lambda: attacker.acks().get(stop["id"], {}).get("outcome") == "done", "stopped")
    attacker.say("cmd/start", start)
    wait_for(lambda: attacker.acks().get(start["id"], {}).get("outcome") == "done", "started")
    attacker.say("cmd/stop", stop)
    wait_for(lambda: attacker.dropped("repeated") >= 1, "the replay is counted")
    wait_for(
        lambda: attacker.newest("reported")["streams"][0].get("reason") != "stopped",
        "it goes on as the second command said",
    )


def test_commands_to_another_agent(attacker: Attacker, place: Place) -> None:
    """By the certificate of a device: the broker keeps it from every other device's topics."""
    with place.client(f"{FLEET}/van-8") as thief:
        thief.publish(f"{OWN}/cmd/stop", json.dumps(command()).encode())
        thief.publish(f"{OWN}/desired", b'{"v":1,"version":99999,"issued_at":1}', retain=True)
        thief.publish(f"{OWN}/status", b"{}", retain=True)
        thief.publish(f"{VICTIM}/status", b"after them")
        attacker.wire.hears(f"{VICTIM}/status", b"after them")
    assert all(payload != b"{}" for topic, payload, _ in attacker.wire.heard if OWN in topic)
    restored(attacker)


MALFORMED: list[tuple[str, bytes]] = [
    ("too_large", b'{"v":1,"x":"' + b"a" * (MAX_PAYLOAD - 14) + b'"}'),
    ("too_deep", b'{"v":1,"streams":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ("not_json", b'{"v":1,'),
    ("not_utf8", b'{"v":1,"x":"\xff"}'),
    ("duplicate_key", b'{"v":1,"version":90000,"version":90001,"issued_at":1}'),
    ("bad_number", b'{"v":1,"version":1e400,"issued_at":1}'),
    ("not_an_object", b"[1]"),
    ("unsupported_version", b'{"v":2,"version":90000,"issued_at":1}'),
    ("invalid", b'{"v":1,"version":"90000","issued_at":1}'),
]


@pytest.mark.parametrize(("reason", "payload"), MALFORMED, ids=[name for name, _ in MALFORMED])
def test_a_malformed_document(attacker: Attacker, reason: str, payload: bytes) -> None:
    """What was in force stays; the refusal says why."""
    before = attacker.newest("reported")["applied"]
    attacker.say("desired", payload, retain=True)
    refusals = {"invalid", reason} if reason == "too_large" else {reason}
    wait_for(
        lambda: attacker.newest("reported").get("refused", {}).get("reason") in refusals,
        f"refused as {reason}",
    )
    assert attacker.newest("reported")["applied"] == before
    restored(attacker)


def test_a_rewound_document(attacker: Attacker) -> None:
    """An older version, which had less protection."""
    old = attacker.document(protection={"mosaic": False}) | {"version": 1}
    attacker.say("desired", old, retain=True)
    wait_for(
        lambda: attacker.newest("reported").get("refused", {}).get("reason") == "older_version",
        "refused as older",
    )
    restored(attacker)


def test_malformed_and_unknown_commands(attacker: Attacker) -> None:
    before = attacker.dropped("malformed"), attacker.dropped("unknown")
    attacker.say("cmd/stop", b"[" * 100_000)
    attacker.say("cmd/stop", command(stream="../../etc"))
    attacker.say("cmd/disable-protection", command())
    wait_for(lambda: attacker.dropped("malformed") >= before[0] + 2, "malformed ones are counted")
    wait_for(lambda: attacker.dropped("unknown") >= before[1] + 1, "the unknown one is counted")
