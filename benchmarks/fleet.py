"""What one control process carries: `python -m benchmarks.fleet --agents 2000`.

The real `veilcast control serve`, and simulated agents over real MQTT and TLS, each with its own
certificate. Every figure is printed as JSON.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.fleet_agent import Arrival
from benchmarks.fleet_plane import HOST, Load, Plane, wait_for
from benchmarks.fleet_swarm import Member, Swarm

FLEET = "main"
CHANGES = 5
STEADY_S = 40.0
PLAN = {
    "waves": [{"percent": 1}, {"percent": 10}, {"percent": 50}, {"percent": 100}],
    "rate": 100_000,
    "gate": {"soak_seconds": 0, "patience_seconds": 3600, "max_failed_share": 1.0},
    "abort": {"max_failed_share": 0.05, "min_ended": 10},
}


def main(
    agents: Annotated[int, typer.Option(help="How many agents to simulate.")] = 2000,
    broker: Annotated[str, typer.Option(help="mosquitto or embedded")] = "mosquitto",
) -> None:
    """Enrol, connect, stay, change, roll out, abort, and restart the broker."""
    with tempfile.TemporaryDirectory() as folder, Plane(Path(folder), broker) as plane:
        members, figures = enrol(plane, Path(folder), agents)
        tell("enrolment", figures)
        with Swarm(members, plane.authority, HOST, plane.broker_port) as swarm:
            tell("connecting", connecting(plane, swarm, agents))
            tell("steady", steady(plane, broker))
            tell("change", changes(plane, swarm, agents))
            tell("rollout", rollout(plane, Path(folder), "7.0.0"))
            swarm.fail_updates([one.agent for one in members[:: agents // max(1, agents // 10)]])
            tell("abort", rollout(plane, Path(folder), "8.0.0"))
            if broker == "mosquitto":
                tell("broker_restart", broker_restart(plane, swarm, agents))


def enrol(plane: Plane, folder: Path, agents: int) -> tuple[list[Member], dict[str, Any]]:
    """Over the API, with a stream for each. One key serves all: making keys is not measured."""
    key = ec.generate_private_key(ec.SECP256R1())
    key_file = folder / "device.key"
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    csr = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def join(number: int) -> Member:
        name = f"sim-{number:05}"
        claim = plane.ask("POST", "/v1/claims", json={"agent": name})
        identity = plane.ask("POST", "/v1/enrol", json={"token": claim["token"], "csr": csr})
        stream = {"agent": name, "id": name, "source": {"ref": "cam"}, "sinks": [{"ref": "out"}]}
        plane.ask("POST", "/v1/streams", json=stream)
        certificate = folder / f"{name}.crt"
        certificate.write_text(identity["certificate"])
        return Member(FLEET, name, certificate, key_file)

    began, load = time.monotonic(), Load(plane.pid)
    with ThreadPoolExecutor(8) as pool:
        members = list(pool.map(join, range(agents)))
    seconds = time.monotonic() - began
    return members, {"agents": agents, "per_second": round(agents / seconds, 1), **load.read()}


def connecting(plane: Plane, swarm: Swarm, agents: int) -> dict[str, Any]:
    load = Load(plane.pid)
    seconds = wait_for(lambda: swarm.count().connected == agents, "all are connected")
    known = wait_for(lambda: online(plane) == agents, "the control plane knows them all")
    return {"agents": agents, "seconds": round(seconds + known, 1), **load.read()}


def steady(plane: Plane, broker: str) -> dict[str, Any]:
    """Only telemetry: after a while in which what was retained has been heard."""
    time.sleep(15.0)
    control, before = Load(plane.pid), metric(plane, "veilcast_messages_received_total")
    other = Load(plane.broker_pid()) if broker == "mosquitto" else None
    time.sleep(STEADY_S)
    heard = metric(plane, "veilcast_messages_received_total") - before
    found: dict[str, Any] = {"messages_per_second": round(heard / STEADY_S, 1)}
    found["control"] = control.read()
    return {**found, "broker": other.read() if other else None}


def changes(plane: Plane, swarm: Swarm, agents: int) -> dict[str, Any]:
    """A threshold of the whole fleet: from the request to each agent's having the document."""
    delays: list[float] = []
    accepted = []
    for number in range(CHANGES):
        swarm.arrivals()
        thresh = 0.5 - 0.05 * number
        began = time.monotonic()
        body = {"classes": {"license_plate": {"thresh": thresh}}}
        plane.ask("PUT", "/v1/protection", json=body)
        accepted.append(time.monotonic() - began)
        delays += [one.at - began for one in _arrived(swarm, agents)]
        time.sleep(5.0)
    p50, p99 = np.percentile(delays, [50, 99])
    return {
        "changes": CHANGES,
        "p50_seconds": round(float(p50), 3),
        "p99_seconds": round(float(p99), 3),
        "slowest_seconds": round(max(delays), 3),
        "api_answer_seconds": round(float(np.median(accepted)), 3),
    }


def _arrived(swarm: Swarm, count: int) -> list[Arrival]:
    """The next arrivals, as soon as there are so many."""
    came: list[Arrival] = []

    def all_came() -> bool:
        came.extend(swarm.arrivals())
        return len(came) >= count

    wait_for(all_came, "it came")
    return came


def rollout(plane: Plane, folder: Path, version: str) -> dict[str, Any]:
    """In four waves, until it has ended; an aborted one until everyone is back."""
    card = publishable(folder / version, version)
    plane.models("publish", card)
    name = card.stem
    target = f"{name}/{version}/{name}.json"
    wanted = {"name": name, "version": version, "target": target}
    load = Load(plane.pid)
    made = plane.ask("POST", "/v1/rollouts", json={"model": wanted, "plan": PLAN})
    path = f"/v1/rollouts/{made['id']}"

    def ended() -> bool:
        time.sleep(2.0)
        return plane.ask("GET", path)["status"] in {"finished", "aborted", "paused"}

    seconds = wait_for(ended, "the rollout has ended")
    last = plane.ask("GET", path)
    found = {"status": last["status"], "reason": last["reason"], "told": last["told"]}
    if last["status"] == "aborted":
        found["back_seconds"] = round(
            wait_for(lambda: not_back(plane, version) == 0, "all back"), 1
        )
    return {**found, "seconds": round(seconds, 1), **load.read()}


def broker_restart(plane: Plane, swarm: Swarm, agents: int) -> dict[str, Any]:
    before, load = swarm.count().connections, Load(plane.pid)
    plane.kill_broker()
    wait_for(lambda: swarm.count().connected < agents, "the loss is noticed")

    def back() -> bool:
        now = swarm.count()
        return now.connected == agents and now.connections >= before + agents

    seconds = wait_for(back, "all are back")
    known = wait_for(lambda: online(plane) == agents, "the control plane knows them all")
    return {"seconds": round(seconds + known, 1), **load.read()}


def online(plane: Plane) -> int:
    time.sleep(0.5)
    return int(metric(plane, "veilcast_agents_online"))


def not_back(plane: Plane, version: str) -> int:
    time.sleep(2.0)
    shown = (one["model"] or {} for one in every_agent(plane))
    return sum(model.get("version") == version for model in shown)


def every_agent(plane: Plane) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        page = plane.ask("GET", "/v1/agents", params={"after": after, "limit": 500})
        yield from page["agents"]
        if page["next"] is None:
            return
        after = page["next"]


def metric(plane: Plane, name: str) -> float:
    """The sum over all labels."""
    text = plane.api.get("/metrics").text
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def publishable(folder: Path, version: str) -> Path:
    """The shipped model under another version: simulated agents do not run it."""
    shipped = Path(__file__).parents[1] / "models" / "onnx"
    card_file = next(one for one in sorted(shipped.glob("*.json")) if "int8" not in one.name)
    card = json.loads(card_file.read_text())
    folder.mkdir()
    (folder / card["file"]).write_bytes((shipped / card["file"]).read_bytes())
    card["version"] = version
    made = folder / card_file.name
    made.write_text(json.dumps(card))
    return made


def tell(name: str, figures: dict[str, Any]) -> None:
    typer.echo(json.dumps({"benchmark": f"fleet_{name}", **figures}))


if __name__ == "__main__":
    typer.run(main)
