from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.terraform import Terraform


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    folder: Path = tmp_path_factory.mktemp("infra")
    return Terraform(folder)
