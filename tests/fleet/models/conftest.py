from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_control.tuf.repository import ModelRepository
from edge_agent.fleet.models import installer
from tests.fleet.models.server import Site
from tests.fleet.models.workshop import Device, make_repository


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    return make_repository(tmp_path / "control")


@pytest.fixture
def site(repository: ModelRepository) -> Iterator[Site]:
    with Site(repository.folder) as site:
        yield site


@pytest.fixture
def device(repository: ModelRepository, site: Site, tmp_path: Path) -> Iterator[Device]:
    device = Device(tmp_path / "home", site.url, repository.shelf.root_bytes())
    yield device
    device.stop()


@pytest.fixture
def quick_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test passes without a process of its own: it is not what these tests are about."""
    monkeypatch.setattr(installer, "run_self_test", lambda _: {})
