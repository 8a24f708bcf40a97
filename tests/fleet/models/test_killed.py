"""`kill -9` before every single change on the disk: what comes back is consistent, and goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from cloud_control.tuf.repository import ModelRepository
from tests.fleet.models.server import Site
from tests.fleet.models.workshop import Device, model


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("quick_test")
def test_an_update_that_is_killed_at_any_step_leaves_a_model_that_verifies(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    repository.publish(model("9.0.0", b"the old network"))
    device.run("9.0.0")
    device.stop()
    repository.publish(model("9.1.0", b"the new network"))
    command = [
        sys.executable,
        "-m",
        "tests.fleet.models.killed",
        str(device.folder.parent),
        site.url,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    killed, finished = lines[:-1], lines[-1]
    assert finished["ended"] == 0
    assert all(line["ended"] == -signal.SIGKILL for line in killed)
    for line in lines:
        assert line["whole"], line
        assert line["after"] in {"9.0.0", "9.1.0"}, line
        assert line["resumed"] == 0, line
    places = " ".join(line["killed_at"] for line in killed)
    for place in ("timestamp.json", "record.json", "use_model", "replace veil-nano-9.1.0"):
        assert place in places
    assert len(killed) > 20
    assert {line["after"] for line in lines} == {"9.0.0", "9.1.0"}
