"""The real control plane in a process of its own, as an operator starts it."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import httpx

from tests.cloud_control.brokers import HOST, free_port
from tests.fleet.devices import Device
from tests.fleet.models.workshop import NAME, model, wanted
from tests.fleet.processes import Daemon, veilcast, wait_for

FLEET = "acme"


class Plane:
    """A context manager: `veilcast control init`, then `veilcast control serve` until the end,
    with these further options."""

    def __init__(self, folder: Path, broker: str, ingest: str = "none", *options: str) -> None:
        self.data = folder / "data"
        self.port, self.broker_port = free_port(), free_port()
        self.ingest_port = free_port()
        made = json.loads(
            veilcast(
                "control", "init", "--data", self.data, "--fleet", FLEET, "--host", HOST, "--json"
            )
        )
        self.url = f"https://{HOST}:{self.port}"
        self.authority = Path(made["authority"])
        self.process = Daemon(
            folder / "control.log",
            "control", "serve", "--data", self.data, "--broker", broker, "--bind", HOST,
            "--port", str(self.port), "--broker-port", str(self.broker_port),
            "--ingest", ingest, "--ingest-port", str(self.ingest_port), *options,
        )  # fmt: skip
        self.token = str(made["token"])
        self._http = self._client()

    def __enter__(self) -> Plane:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self.process.stop()

    def start(self) -> None:
        self.process.start()
        wait_for(self._ready, f"the control plane is ready:\n{self.process.text()[-2000:]}")

    def trust_anew(self) -> None:
        """Its authority is another one now."""
        self._http.close()
        self._http = self._client()

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.authority)),
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60.0,
        )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """JSON of an answer that must be a success."""
        answer = self._http.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def enrol(self, device: Device, **labels: str) -> None:
        """By a claim of its own, through the commands."""
        claim = self.ask("POST", "/v1/claims", {"agent": device.name, "labels": labels})
        device.enrol(self.url, self.authority, claim["token"])

    def agent(self, name: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"/v1/agents/{name}"))

    def stream(self, name: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"/v1/streams/{name}"))

    def add_stream(self, device: Device, stream: str) -> None:
        wanted = device.wanted_stream(stream)
        self.ask("POST", "/v1/streams", {**wanted, "agent": device.name})

    def protected(self, stream: str) -> bool:
        return bool(self.stream(stream)["state"] == "PROTECTED")

    def converged(self, name: str) -> bool:
        return bool(self.agent(name)["converged"])

    def publish_model(self, folder: Path, version: str) -> dict[str, str]:
        """A model as good as the shipped one, under another version; what a rollout names."""
        made = model(version)
        folder.mkdir()
        for name, content in made.contents.items():
            (folder / name).write_bytes(content)
        veilcast("models", "publish", folder / f"{NAME}.json", "--data", self.data)
        return wanted(version).model_dump(mode="json")

    def _ready(self) -> bool:
        assert self.process.alive, self.process.text()[-4000:]
        try:
            return self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False
