"""The real control plane in a process of its own, to be measured: its API, its load."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

VEILCAST = [sys.executable, "-c", "from edge_agent.cli import main; main()"]
HOST = "127.0.0.1"
PATIENCE_S = 300.0


class Load:
    """CPU (cores) and memory (MB) of a process between two moments."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._since, self._used = time.monotonic(), self._seconds()

    def read(self) -> dict[str, float]:
        elapsed, used = time.monotonic() - self._since, self._seconds() - self._used
        memory = self._process.memory_info().rss / 2**20
        return {"cores": round(used / elapsed, 3), "megabytes": round(memory)}

    def _seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


class Plane:
    """A context manager around `veilcast control serve`, with further options."""

    def __init__(self, folder: Path, broker: str, *options: str) -> None:
        self.data = folder / "data"
        self.port, self.broker_port = free_port(), free_port()
        made = json.loads(
            _veilcast("control", "init", "--data", self.data, "--host", HOST, "--json")
        )
        self.authority = Path(made["authority"])
        self._command = [
            *VEILCAST, "control", "serve", "--data", str(self.data), "--broker", broker,
            "--bind", HOST, "--port", str(self.port), "--broker-port", str(self.broker_port),
            *options,
        ]  # fmt: skip
        self._log = folder / "control.log"
        self.api = httpx.Client(
            base_url=f"https://{HOST}:{self.port}",
            verify=str(self.authority),
            headers={"Authorization": f"Bearer {made['token']}"},
            timeout=60.0,
        )

    def __enter__(self) -> Plane:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        wait_for(self._ready, "the control plane is ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    @property
    def pid(self) -> int:
        return self._process.pid

    def broker_pid(self) -> int:
        """Of the Mosquitto that it runs."""
        children = psutil.Process(self.pid).children()
        return int(next(child.pid for child in children if "mosquitto" in child.name()))

    def kill_broker(self) -> None:
        os.kill(self.broker_pid(), signal.SIGKILL)

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """JSON of an answer that must be a success."""
        answer = self.api.request(method, path, **more)
        if not answer.is_success:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    def models(self, *arguments: str | Path) -> str:
        return _veilcast("models", *arguments, "--data", self.data)

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(self._log.read_text()[-2000:])
        try:
            return self.api.get("/readyz").is_success
        except httpx.TransportError:
            return False


def wait_for(ready: Callable[[], object], what: str) -> float:
    """Seconds until it was so."""
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > PATIENCE_S:
            raise RuntimeError(f"never happened: {what}")
        time.sleep(0.1)
    return time.monotonic() - began


def _veilcast(*arguments: str | Path) -> str:
    command = [*VEILCAST, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])
