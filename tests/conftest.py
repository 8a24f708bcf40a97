"""Which tests come first: the longest, so that no process is left alone with them at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent
LONGEST = ("fleet", "end_to_end", "faults", "leaks", "cloud_control/ingest", "infra", "aws")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path.relative_to(ROOT)))


def _place(path: Path) -> int:
    """Of a test's folder in the order; the sort is stable."""
    named = [place for place, folder in enumerate(LONGEST) if path.is_relative_to(folder)]
    return named[0] if named else len(LONGEST)
