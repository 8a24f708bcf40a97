"""One clip for all tests of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.street import write_street


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of street, which agents show over and over."""
    return write_street(tmp_path_factory.mktemp("street") / "street.mp4", 4.0)
