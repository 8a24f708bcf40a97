"""`veilcast models`, typed by an operator."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.testing import CliRunner, Result

from cloud_control.cli import models
from tests.cloud_control.tuf_models import write_model


def veilcast(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(models, [*words, "--data", str(folder)])


def test_a_models_life(tmp_path: Path) -> None:
    data, card = tmp_path / "data", str(write_model(tmp_path / "model", int8=True))
    made = veilcast(data, "init", "--timestamp-days", "3")
    assert made.exit_code == 0
    assert "take away" in " ".join(made.output.split())
    published = json.loads(veilcast(data, "publish", card, "--json").output)
    assert published["target"] == "veil/1.0.0/veil.json"
    assert len(published["files"]) == 4
    assert veilcast(data, "promote", "veil", "1.0.0").exit_code == 0
    assert json.loads(veilcast(data, "list", "--json").output)["channel"] == "stable"
    assert "1.0.0" in veilcast(data, "list").output
    assert set(json.loads(veilcast(data, "refresh", "--json").output)) == {
        "root", "targets", "snapshot", "timestamp",
    }  # fmt: skip
    assert veilcast(data, "rotate-key", "root").exit_code == 0
    assert veilcast(data, "revoke", "veil", "1.0.0").exit_code == 0
    assert veilcast(data, "list", "--json").output == ""


def test_mistakes_end_with_a_sentence_and_a_status(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for words in (("list",), ("publish", str(write_model(tmp_path / "m"))), ("refresh",)):
        result = veilcast(data, *words)
        assert result.exit_code == 9
        assert "veilcast models init" in " ".join(result.output.split())
    veilcast(data, "init")
    assert veilcast(data, "init").exit_code == 9
    assert veilcast(data, "publish", str(tmp_path / "none.json")).exit_code == 9
    assert veilcast(data, "rotate-key", "everything").exit_code == 2
    card = str(write_model(tmp_path / "m", "2.0.0"))
    assert veilcast(data, "publish", card, "--channel", "beta").exit_code == 2


def test_the_guide_names_every_command_and_no_other() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    named = set(re.findall(r"veilcast models ([a-z-]+)", guide))
    assert named == {command.name for command in models.registered_commands}
