"""`veilcast agent` as on a device: its own process, real workers, a real broker, real video."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from edge_agent.fleet.home import Home
from tests.edge_agent.fleet.broker import Broker, needs_mosquitto
from tests.edge_agent.fleet.cloud import Cloud
from tests.edge_agent.fleet.device import enrolled_home
from tests.edge_agent.fleet.patience import PATIENCE_S, wait_until
from tests.edge_agent.media_tools import write_clip

pytestmark = [needs_mosquitto, pytest.mark.timeout(300)]

COMMAND = [sys.executable, "-c", "from edge_agent.cli import main; main()", "agent"]
CAMERA = {"id": "cam-1", "source": {"ref": "camera"}, "sinks": [{"ref": "archive"}]}

Run = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def home(tmp_path: Path, broker: Broker) -> Home:
    clip = write_clip(tmp_path / "street.mp4", seconds=2.0, size=(320, 180))
    settings = (
        f'[sources]\ncamera = {{ address = "{clip}", loop = true }}\n'
        f'[sinks]\narchive = "{tmp_path / "archive.mkv"}"\n'
    )
    return enrolled_home(tmp_path / "home", broker.authority, broker.port, settings=settings)


@pytest.fixture
def run(home: Home, tmp_path: Path) -> Iterator[Run]:
    started: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        log = (tmp_path / "agent.log").open("ab")
        started.append(
            subprocess.Popen([*COMMAND, "--home", str(home.folder), "--json"], stderr=log)
        )
        log.close()
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE_S)
    said = (tmp_path / "agent.log").read_text()
    assert "Traceback" not in said, said


def frames(cloud: Cloud, kind: str) -> int:
    """How many frames of this kind have left, as the agent tells."""
    return sum(counts[f"frames_{kind}"] for counts in cloud.newest("telemetry").get("streams", []))


def test_changes_reach_a_live_stream_and_a_planned_end_is_clean(run: Run, cloud: Cloud) -> None:
    agent = run()
    cloud.await_newest("status", state="online")
    cloud.desire(1, CAMERA, telemetry_seconds=1)
    cloud.await_newest("reported", applied=1, streams=[{"id": "cam-1", "converged": True}])
    wait_until(lambda: frames(cloud, "protected") > 0, "protected video leaves")
    tighter = CAMERA | {"protection": {"classes": {"id_card": {"thresh": 0.1}}}}
    cloud.desire(2, tighter, telemetry_seconds=1)
    cloud.await_newest("reported", applied=2, streams=[{"id": "cam-1", "converged": True}])
    veil = cloud.command("veil", 1, stream="cam-1")
    cloud.await_newest(f"ack/{veil}", outcome="done")
    cloud.await_newest("streams/cam-1/state", state="DEGRADED", veiled=True)
    before = frames(cloud, "veiled")
    wait_until(lambda: frames(cloud, "veiled") > before, "veiled video leaves")
    assert cloud.newest("telemetry")["streams"][0]["unverified_frames_sent"] == 0
    workers = psutil.Process(agent.pid).children(recursive=True)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(PATIENCE_S) == 0
    cloud.await_newest("status", state="offline", reason="shutdown")
    assert not [worker for worker in workers if worker.is_running()]


def test_kill_9_of_the_agent_ends_its_streams_and_the_next_one_goes_on_without_a_network(
    run: Run, cloud: Cloud, broker: Broker
) -> None:
    """The veil that was ordered just before is still there."""
    cloud.desire(1, CAMERA)
    agent = run()
    cloud.await_newest("reported", applied=1, streams=[{"id": "cam-1", "converged": True}])
    veil = cloud.command("veil", 1, stream="cam-1")
    cloud.await_newest(f"ack/{veil}", outcome="done")
    workers = psutil.Process(agent.pid).children(recursive=True)
    assert workers
    agent.kill()
    agent.wait()
    wait_until(lambda: not any(map(psutil.Process.is_running, workers)), "the workers have ended")
    first = cloud.await_newest("status", state="offline", reason="lost")["connection"]
    broker.kill()
    again = run()
    wait_until(psutil.Process(again.pid).children, "its stream has a worker again")
    broker.start()
    wait_until(cloud.client.is_connected, "the cloud is back")
    wait_until(lambda: cloud.newest("streams/cam-1/state")["connection"] > first, "it tells anew")
    cloud.await_newest("streams/cam-1/state", run="running", state="DEGRADED", veiled=True)


def test_two_agents_do_not_share_a_home(run: Run, cloud: Cloud, home: Home) -> None:
    run()
    cloud.await_newest("status", state="online")
    second = subprocess.run(
        [*COMMAND, "--home", str(home.folder)],
        capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert second.returncode == 8
    assert "already runs" in second.stderr
