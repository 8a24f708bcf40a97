"""The control plane on AWS's adapters, as tests of the fleet use any other."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from unittest import mock

import httpx

from tests.fleet.planes import Plane
from tests.fleet.processes import wait_for

KIND = "aws"


class AwsPlane(Plane):
    """See `Plane`: functions on moto's server, with Mosquitto in IoT Core's place."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "aws"
        self.data.mkdir(parents=True)
        self._log = folder / "account.log"
        self._told = self.data / "account.json"

    def __enter__(self) -> AwsPlane:
        with self._log.open("ab") as output:
            self._account = subprocess.Popen(
                [sys.executable, "-m", "tests.fleet.aws_account", str(self.data)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_for(self._ready, "the account is ready")
        told = json.loads(self._told.read_text())
        self.url, self.token, self.authority = told["url"], told["token"], Path(told["authority"])
        self._environment = dict(told["environment"])
        self._http = httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.authority)),
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60.0,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._account.terminate()
        self._account.wait(60.0)
        said = self._log.read_text(errors="replace")
        assert "failed" not in said, said[-4000:]

    def publish_model(self, folder: Path, version: str) -> dict[str, str]:
        with mock.patch.dict(os.environ, self._environment):
            return super().publish_model(folder, version)

    def _ready(self) -> bool:
        assert self._account.poll() is None, self._log.read_text()[-4000:]
        return self._told.exists()


def plane(folder: Path, kind: str) -> Plane:
    """On one machine with that broker, or on AWS."""
    return AwsPlane(folder) if kind == KIND else Plane(folder, kind)
