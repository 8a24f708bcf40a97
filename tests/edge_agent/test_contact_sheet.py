from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.contact_sheet import MOST_MOMENTS, ContactSheet, check_suffix
from edge_agent.errors import SettingsError, SinkError
from edge_agent.redact.protected import State
from tests.edge_agent.shown import STALE, make_gate, shown


def test_a_long_video_keeps_few_moments_spread_over_its_whole_length() -> None:
    gate, sheet = make_gate(), ContactSheet()
    for index in range(0, 25 * 3600, 5):
        sheet.see(shown(gate, index, width=64, height=36), rescued=False)
    moments = sorted(moment.time_ns for moment in sheet._moments.values())
    assert MOST_MOMENTS // 2 <= len(moments) <= MOST_MOMENTS
    assert moments[0] == 0
    assert moments[-1] > 3400 * 1e9
    assert max(np.diff(moments)) < 2.1 * 3600e9 / len(moments)


@pytest.mark.parametrize("special", [3, 700, 1999])
def test_the_one_moment_with_something_hidden_is_never_lost(special: int) -> None:
    gate, sheet = make_gate(), ContactSheet()
    for index in range(2000):
        boxes = ((10.0, 10.0, 30.0, 20.0),) if index == special else ()
        sheet.see(shown(gate, index, *boxes, width=64, height=36), rescued=False)
    (covered,) = (moment for moment in sheet._moments.values() if moment.covered)
    assert covered.time_ns == special * 40_000_000


def test_a_veiled_moment_is_preferred_to_a_plain_one() -> None:
    gate, sheet = make_gate(), ContactSheet()
    for index in range(6):
        verdict = {"verdict": STALE} if index == 2 else {}
        sheet.see(shown(gate, index, **verdict), rescued=False)  # type: ignore[arg-type]
    (moment,) = sheet._moments.values()
    assert moment.state is State.DEGRADED


def test_the_sheet_shows_the_protected_pictures_and_their_states(tmp_path: Path) -> None:
    gate, sheet, path = make_gate(), ContactSheet(), tmp_path / "sheet.png"
    sheet.see(shown(gate, 0, (100, 50, 180, 90), brightness=200), rescued=False)
    sheet.see(shown(gate, 25, verdict=STALE), rescued=False)
    sheet.see(shown(gate, 50, width=180, height=320), rescued=False)
    sheet.write(path)
    drawn = cv2.imread(str(path))
    assert drawn is not None
    height, width = drawn.shape[:2]
    assert height > 320
    assert width > 3 * 320
    assert drawn[30, 12].tolist() == [84, 140, 26]  # a green rim: protected
    assert drawn[30, 12 + 320 + 20].tolist() == [0, 130, 230]  # amber: veiled
    assert drawn[40, 40].min() > 200  # bright, as the frame was
    assert [entry.name for entry in tmp_path.iterdir()] == ["sheet.png"]


def test_a_video_without_a_frame_still_gives_a_readable_sheet(tmp_path: Path) -> None:
    ContactSheet().write(tmp_path / "sheet.jpg")
    assert cv2.imread(str(tmp_path / "sheet.jpg")) is not None


def test_wrong_names_and_folders_are_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must end in one of .*\.png"):
        check_suffix(Path("sheet.gif"))
    check_suffix(Path("SHEET.PNG"))
    with pytest.raises(SinkError, match="No such file"):
        ContactSheet().write(tmp_path / "nowhere" / "sheet.png")
