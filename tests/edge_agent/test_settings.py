from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.errors import SettingsError
from edge_agent.flags import settings_from
from edge_agent.settings import load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "veilcast.toml"
    path.write_text("[protect]\nlook_ahead = 1.0\nhold = 0.9\n[encode]\npreset = 'fast'\n")
    return path


def test_flag_beats_environment_beats_file_beats_default(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEILCAST_PROTECT__HOLD", "0.7")
    monkeypatch.setenv("VEILCAST_PROTECT__LOOK_AHEAD", "0.8")
    settings = settings_from(config=file, look_ahead=0.4)
    assert settings.protect.look_ahead == 0.4
    assert settings.protect.hold == 0.7
    assert settings.encode.preset == "fast"
    assert settings.protect.mask_scale == 1.3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[protect]\nlookahead = 1", "protect.lookahead: unknown setting"),
        ("[protect]\nlook_ahead = 4", "less than or equal to 3"),
        ("[protect.classes.face]\nhide = true", "unknown setting"),
        ("protect = [", "veilcast.toml"),
        ("[protect]\nzones = [[[0, 0], [1, 1]]]", "protect.zones"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "veilcast.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings(path, {})


def test_unknown_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEILCAST_PROTEKT__HOLD", "1")
    with pytest.raises(SettingsError, match="VEILCAST_PROTEKT__HOLD"):
        load_settings(None, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not found"):
        load_settings(tmp_path / "no.toml", {})


def test_thresholds_for_all_classes_and_for_one() -> None:
    settings = settings_from(config=None, thresh=["0.5", "id_card=0.25"], show=["license_plate"])
    classes = settings.protect.classes
    assert (classes.shipping_label.thresh, classes.id_card.thresh) == (0.5, 0.25)
    assert (classes.license_plate.hide, classes.id_card.hide) == (False, True)


def test_any_setting_can_be_set_by_name() -> None:
    settings = settings_from(
        config=None,
        others=["protect.zones=[[[0,0],[1,0],[1,0.1]]]", "log=json", "live.slate_seconds=5"],
    )
    assert settings.protect.zones == (((0, 0), (1, 0), (1, 0.1)),)
    assert settings.log == "json"
    assert settings.live.slate_seconds == 5


@pytest.mark.parametrize(
    ("text", "bits"), [("2500k", 2_500_000), ("4M", 4_000_000), ("800000", 800_000)]
)
def test_bitrates(text: str, bits: int) -> None:
    assert settings_from(config=None, bitrate=text).encode.bitrate == bits


@pytest.mark.parametrize(
    "flags",
    [
        {"bitrate": "fast"}, {"thresh": ["x"]}, {"thresh": ["face=0.2"]}, {"thresh": ["1.5"]},
        {"show": ["faces"]}, {"others": ["protect.hold"]}, {"preset": "insane"},
    ],
)  # fmt: skip
def test_wrong_flags_are_refused(flags: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        settings_from(config=None, **flags)  # type: ignore[arg-type]
