"""An enrolled home, and an agent that runs on it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from edge_agent.fleet.agent import Agent
from edge_agent.fleet.details import Broker as BrokerAddress
from edge_agent.fleet.details import Details
from edge_agent.fleet.home import Home, write_private
from edge_agent.fleet.identity import make_key
from edge_agent.fleet.models_port import FixedModel
from tests.edge_agent.fleet.authority import Authority
from tests.edge_agent.fleet.fake_workers import FakeWorkers
from tests.edge_agent.fleet.patience import PATIENCE_S

STREAM: dict[str, Any] = {
    "id": "cam-1",
    "source": {"url": "rtmp://camera.example/live", "key": "source-key"},
    "sinks": [{"url": "rtmps://ingest.example/app", "key": "sink-key"}],
}


def stream(stream_id: str = "cam-1", **fields: Any) -> dict[str, Any]:
    return STREAM | {"id": stream_id} | fields


def enrolled_home(
    folder: Path,
    authority: Authority,
    port: int,
    *,
    agent: str = "van-7",
    settings: str = "",
    control: str = "https://control.invalid",
) -> Home:
    """As `veilcast enroll` leaves it."""
    home = Home(folder)
    home.create()
    request = make_key(home.key, f"acme/{agent}")
    home.certificate.write_bytes(authority.sign_request(request, f"acme/{agent}"))
    home.ca.write_bytes(authority.file.read_bytes())
    home.settings.write_text(settings)
    details = Details(
        fleet="acme",
        agent=agent,
        control=control,
        broker=BrokerAddress(host="localhost", port=port),
        metadata_url="https://control.invalid/models/metadata/",
        targets_url="https://control.invalid/models/targets/",
    )
    write_private(home.details, details.model_dump_json().encode())
    return home


class Device:
    """An agent in a thread, with workers that obey."""

    def __init__(self, home: Home) -> None:
        self.workers: FakeWorkers
        self.agent = Agent(home, self._make_workers, lambda a: FixedModel(a.device.protect.model))
        self._thread = threading.Thread(target=self.agent.run, name="agent")
        self._thread.start()

    def close(self) -> None:
        self.agent.stop("test")
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _make_workers(self, on_report: Any) -> FakeWorkers:
        self.workers = FakeWorkers(on_report)
        return self.workers
