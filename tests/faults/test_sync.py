"""Sound stays with its picture through `veilcast redact`, whatever the look-ahead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge_agent.media_tools import click_times, flash_times, write_clip
from tests.faults.command import redact

ALLOWED_S = 0.02


@pytest.fixture(scope="module")
def clapper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds; at every full second from the first on, a white frame and a click."""
    return write_clip(tmp_path_factory.mktemp("clap") / "clap.mp4", seconds=4.2, size=(320, 180))


def offsets(path: Path) -> list[float]:
    """Seconds by which each click comes after its flash."""
    flashes, clicks = flash_times(str(path)), click_times(str(path))
    assert len(flashes) == len(clicks) == 4
    return [click - flash for flash, click in zip(flashes, clicks, strict=True)]


@pytest.mark.parametrize("look_ahead", ["0", "0.3", "0.6", "3"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_offset_is_the_sources_own(
    clapper: Path, look_ahead: str, suffix: str, tmp_path: Path
) -> None:
    target = tmp_path / ("safe" + suffix)
    assert redact(clapper, target, "--look-ahead", look_ahead).returncode == 0
    for before, after in zip(offsets(clapper), offsets(target), strict=True):
        assert abs(after - before) <= ALLOWED_S


def test_a_measured_shift_would_be_noticed(clapper: Path, tmp_path: Path) -> None:
    """The measure itself: sound that comes 80 ms late is seen as such."""
    late = write_clip(
        tmp_path / "late.mp4", seconds=4.2, size=(320, 180), pts=lambda index: index - 2
    )
    assert all(
        0.06 < after - before < 0.1
        for before, after in zip(offsets(clapper), offsets(late), strict=True)
    )
