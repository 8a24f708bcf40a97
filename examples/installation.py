"""A whole Veilcast on this machine: control plane and agents, each in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from cloud_control.serve import initialise
from edge_agent.commands.consent import give
from edge_agent.fleet.control_plane import ControlPlane
from edge_agent.fleet.enrolment import enrol
from edge_agent.fleet.home import home_at
from examples.faults import ORDERS

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
PATIENCE_S = 60.0
GOODBYE_S = 25.0
VEILCAST = (sys.executable, "-c", "from edge_agent.cli import main; main()")
FAULTY = (sys.executable, "-m", "examples.faulty_agent")
SOURCE = "cam"
DEVICE = """\
[protect]
second_looks = 0
[encode]
preset = "ultrafast"
[sources.{source}]
address = {address}
loop = true
"""


class DemoError(Exception):
    """The demonstration cannot go on; the text says why."""


class EndedEarlyError(Exception):
    """The end was asked for before everything ran."""


class Installation:
    """Made in an empty folder that holds its keys and state; `close` ends all its processes.

    logs: a folder for what the processes say. port: of the pages; any free one if it is taken.
    ending: waiting ends with an EndedEarlyError when it is set.
    """

    def __init__(self, folder: Path, logs: Path, port: int, ending: threading.Event) -> None:
        self._folder, self._logs, self._ending = folder, logs, ending
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        broker, ingest = free_port(), free_port()
        port = free_port(port)
        self.url = f"http://{HOST}:{port}"
        data = folder / "plane"
        self.token = initialise(data, "demo", HOST)
        self.http = httpx.Client(base_url=self.url, timeout=30.0)
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        self._start(
            "control plane", *VEILCAST, "control", "serve", "--data", str(data),
            "--broker", "embedded", "--broker-port", str(broker), "--bind", HOST,
            "--no-tls", "--port", str(port), "--url", self.url,
            "--ingest", "embedded", "--ingest-port", str(ingest),
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        self.wait_for(self._ready, "the control plane is ready")

    def enrol(self, agent: str, clip: Path) -> None:
        """Let a device join that has a camera, which shows `clip` again and again."""
        claim = self.ask("POST", "/v1/claims", {"agent": agent, "labels": {}})
        place, plane = home_at(self.home(agent)), ControlPlane(self.url, ca=None)
        enrol(place, plane, self.url, claim["token"], agent)
        settings = DEVICE.format(source=SOURCE, address=json.dumps(str(clip)))
        (self.home(agent) / "device.toml").write_text(settings)

    def home(self, agent: str) -> Path:
        return self._folder / agent

    def start_agent(self, agent: str, faults: Path | None = None) -> None:
        """faults: the file that says which faults its detector has."""
        command = FAULTY if faults else VEILCAST
        more = {ORDERS: str(faults)} if faults else {}
        self._start(f"agent {agent}", *command, "agent", "--home", str(self.home(agent)), **more)

    def add_stream(self, agent: str, stream: str, title: str, category: int) -> None:
        body = {"id": stream, "agent": agent, "title": title, "category": category}
        self.ask("POST", "/v1/streams", {**body, "source": {"ref": SOURCE}})

    def command(self, agent: str, name: str, **fields: str) -> dict[str, Any]:
        """The agent's answer to a command; empty if none came in time."""
        answer = self.ask("POST", f"/v1/agents/{agent}/commands/{name}?wait=10", fields)
        return dict(answer["ack"] or {})

    def consent(self, agent: str, stream: str, field: str) -> None:
        """As the device's owner does at the device."""
        give(stream, field, 5, home=self.home(agent), yes=True)

    def kill_workers(self, agent: str) -> None:
        """With no chance to do anything more."""
        for process in psutil.Process(self._children[f"agent {agent}"].pid).children():
            process.kill()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """JSON of an answer. Raises DemoError unless it is a success."""
        try:
            answer = self.http.request(method, path, json=body)
        except httpx.HTTPError as problem:
            raise DemoError(f"the control plane does not answer: {problem!r}") from None
        if not answer.is_success:
            raise DemoError(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json() if answer.content else None

    def wait_for(self, ready: Callable[[], object], what: str) -> None:
        """Look now and then until it is so. Raises DemoError if it takes too long."""
        until = time.monotonic() + PATIENCE_S
        while not ready():
            self.check()
            if time.monotonic() > until:
                raise DemoError(f"it took too long until {what}")
            if self._ending.wait(0.1):
                raise EndedEarlyError

    def check(self) -> None:
        """Raises DemoError if a process has ended by itself."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise DemoError(f"the {name} ended by itself: see {self._log(name)}")

    def close(self) -> None:
        """Agents end first, so that viewers are told; who does not end is made to."""
        self.http.close()
        agents = [child for name, child in self._children.items() if name.startswith("agent")]
        plane = [child for name, child in self._children.items() if not name.startswith("agent")]
        for group in (agents, plane):
            for child in group:
                child.send_signal(signal.SIGINT)
            for child in group:
                _end(child)

    def _ready(self) -> bool:
        try:
            return self.http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def _start(self, name: str, *command: str, **environment: str) -> None:
        with self._log(name).open("wb") as log:
            self._children[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment() | environment,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the demonstration, which ends them in order
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name.replace(' ', '-')}.log"


def free_port(wanted: int = 0) -> int:
    """The port that is wanted, or any free one if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """Settings of another installation must not reach this one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VEILCAST_")}


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        family = psutil.Process(child.pid).children(recursive=True)
    except psutil.Error:
        family = []
    try:
        child.wait(GOODBYE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    _, left = psutil.wait_procs(family, 5.0)
    for process in left:
        process.kill()
