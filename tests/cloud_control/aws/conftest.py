"""A server in front of moto's, for tests that put something in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud_control.aws.front import Front, fronted
from tests.cloud_control.aws.moto_server import Cloud


@pytest.fixture
def front(cloud: Cloud) -> Iterator[Front]:
    with fronted(cloud) as found:
        yield found
