"""How soon real agents that stream follow a threshold: `python -m benchmarks.fleet_live`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.fleet_plane import HOST, VEILCAST, Plane, wait_for
from examples.clip import DRIVE
from examples.film import write_film

CHANGES = 10
SETTINGS = """\
[protect]
looks_per_second = 4
second_looks = 0
[encode]
preset = "ultrafast"
[sources.cam]
address = "{clip}"
loop = true
[sinks]
out = "{sink}"
"""


def main(
    agents: Annotated[int, typer.Option(help="How many, each with one stream.")] = 3,
    broker: Annotated[str, typer.Option(help="mosquitto or embedded")] = "mosquitto",
) -> None:
    """From the request at the API to the worker's word that the threshold is in force."""
    with tempfile.TemporaryDirectory() as folder, Plane(Path(folder), broker) as plane:
        clip = Path(folder) / "clip.mp4"
        write_film(clip, [DRIVE])
        names = [f"van-{number}" for number in range(agents)]
        running = [start(plane, Path(folder), clip, name) for name in names]
        try:
            for name in names:
                wait_for(partial(settled, plane, name), f"{name} streams")
            figures = measure(plane, names)
        finally:
            for process in running:
                process.send_signal(signal.SIGINT)
                process.wait(60)
    typer.echo(json.dumps({"benchmark": "fleet_live", "agents": agents, **figures}))


def start(plane: Plane, folder: Path, clip: Path, name: str) -> subprocess.Popen[bytes]:
    claim = plane.ask("POST", "/v1/claims", json={"agent": name})
    home = folder / name
    environment = os.environ | {"VEILCAST_CLAIM": claim["token"]}
    url = f"https://{HOST}:{plane.port}"
    command = [*VEILCAST, "enroll", "--control", url, "--ca", str(plane.authority)]
    subprocess.run([*command, "--home", str(home)], env=environment, check=True)
    (home / "device.toml").write_text(SETTINGS.format(clip=clip, sink=folder / f"{name}.mkv"))
    stream = {"agent": name, "id": name, "source": {"ref": "cam"}, "sinks": [{"ref": "out"}]}
    plane.ask("POST", "/v1/streams", json=stream)
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen([*VEILCAST, "agent", "--home", str(home)], stdout=log, stderr=log)


def measure(plane: Plane, names: list[str]) -> dict[str, Any]:
    """Agents say with their own clock, which is this machine's, when all was in force."""
    delays = []
    for number in range(CHANGES):
        began = time.time()
        rules = {"license_plate": {"thresh": round(0.3 - 0.02 * number, 3)}}
        light = {"looks_per_second": 8, "second_looks": 8}
        plane.ask("PUT", "/v1/protection", json={"classes": rules, **light})
        for name in names:
            wait_for(partial(settled, plane, name), f"{name} follows")
            delays.append(shown(plane, name)["reported"]["at"] / 1000 - began)
        time.sleep(1.0)
    p50, p99 = np.percentile(delays, [50, 99])
    streams = [one for name in names for one in shown(plane, name)["telemetry"]["streams"]]
    return {
        "changes": CHANGES,
        "p50_seconds": round(float(p50), 3),
        "p99_seconds": round(float(p99), 3),
        "unverified_frames_sent": sum(one["unverified_frames_sent"] for one in streams),
        "worker_restarts": sum(one["worker_restarts"] for one in streams),
    }


def settled(plane: Plane, name: str) -> bool:
    """Whether its stream runs exactly as wanted."""
    found = shown(plane, name)
    states = found["stream_states"].values()
    return bool(found["converged"] and states and all(one["run"] == "running" for one in states))


def shown(plane: Plane, name: str) -> dict[str, Any]:
    return dict(plane.ask("GET", f"/v1/agents/{name}"))


if __name__ == "__main__":
    typer.run(main)
