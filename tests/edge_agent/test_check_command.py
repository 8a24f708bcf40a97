from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edge_agent.cli import app
from edge_agent.detect.card import find_model, load_card
from edge_agent.errors import ModelError, SettingsError, SinkError, SourceError


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["check", "--port", "0", *map(str, arguments)])


def findings(*arguments: str | Path) -> tuple[int, dict[str, dict[str, Any]]]:
    result = check(*arguments, "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    return result.exit_code, {each["name"]: each for each in told}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the default model and its card, to be damaged."""
    card = load_card(find_model())
    shutil.copy(card.folder / card.file, tmp_path / card.file)
    return Path(shutil.copy(find_model(), tmp_path))


def test_all_is_well_on_a_fresh_install() -> None:
    result = check()
    assert result.exit_code == 0
    assert "FAIL" not in result.stdout
    for name in (
        "settings",
        "model card",
        "model file",
        "self-test",
        "speed",
        "encoder",
        "local port",
    ):
        assert f"ok   {name}" in result.stdout
    assert re.search(r"speed +\d+\.\d ms a look", result.stdout)


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    config = tmp_path / "veilcast.toml"
    config.write_text("[protect]\nlook_behind = 1\n")
    status, told = findings("--config", config)
    assert status == SettingsError.exit_code
    assert not told["settings"]["ok"]
    assert "look_behind" in told["settings"]["words"]


def test_a_truncated_model_is_told_and_not_tried(model: Path) -> None:
    onnx = model.with_suffix(".onnx")
    onnx.write_bytes(onnx.read_bytes()[:-1000])
    status, told = findings("--model", model)
    assert status == ModelError.exit_code
    assert told["model card"]["ok"]
    assert not told["model file"]["ok"]
    assert "install it again" in told["model file"]["words"]
    assert "self-test" not in told
    assert told["encoder"]["ok"]


def test_a_card_that_cannot_be_read_is_told(model: Path) -> None:
    model.write_text("{")
    status, told = findings("--model", model)
    assert status == ModelError.exit_code
    assert not told["model card"]["ok"]
    assert "model file" not in told


def test_a_taken_port_names_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, told = findings("--port", str(taken.getsockname()[1]))
    assert status == SettingsError.exit_code
    assert "--port" in told["local port"]["words"]


def test_a_source_that_is_not_there_is_told_without_its_secret(tmp_path: Path) -> None:
    status, told = findings("-i", tmp_path / "absent.mp4")
    assert status == SourceError.exit_code
    assert "absent.mp4" in told["source"]["words"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    status, told = findings("-o", f"rtmp://127.0.0.1:{port}/live/s3cret")
    assert status == SinkError.exit_code
    assert "cannot reach" in told["sink"]["words"]
    assert "s3cret" not in told["sink"]["words"]


def test_a_sink_that_answers_and_a_folder_are_well(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"rtmp://127.0.0.1:{server.getsockname()[1]}/live/key"
        result = check("-o", address, "-o", tmp_path / "show.mkv")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.count("ok   sink") == 2
