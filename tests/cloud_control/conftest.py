"""One server in AWS's place for all tests of a process; each makes its own tables and buckets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud_control.aws.moto_server import Cloud, running_moto


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    with running_moto() as found:
        yield found
