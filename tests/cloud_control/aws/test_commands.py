"""`veilcast control init-aws`, `export`, `import` and `veilcast models`, typed by an operator."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner, Result

from cloud_control.cli import control, fleet, models
from cloud_control.errors import ApiError
from cloud_control.lambdas import http
from cloud_control.lambdas.plane import HOOK_SECRET
from tests.cloud_control.aws.account import FLEET, Account, opened
from tests.cloud_control.aws.front import Front
from tests.cloud_control.aws.test_functions import add, enrol
from tests.cloud_control.serving import serving
from tests.cloud_control.tuf_models import write_model


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(control, [str(word) for word in words])


@pytest.fixture
def account(front: Front, tmp_path: Path) -> Iterator[Account]:
    with opened(front, tmp_path / "aws") as found:
        yield found


def elsewhere(account: Account, **changes: str) -> dict[str, str]:
    """The environment of a second deployment, fresh from Terraform."""
    cloud = account.front.cloud
    told = {"table": cloud.table(), "models_bucket": cloud.bucket(), "secrets": "veilcast/two"}
    named = {f"VEILCAST_AWS_{name.upper()}": value for name, value in (told | changes).items()}
    return {**os.environ, **account.environment, **named}


def test_a_deployment_begins_once(account: Account, tmp_path: Path) -> None:
    with mock.patch.dict(os.environ, elsewhere(account, ingest="self-hosted")):
        account.cold()
        made = run("init-aws", "--data", tmp_path / "two", "--json")
        assert made.exit_code == 0, made.output
        told = json.loads(made.output)
        assert told["fleet"] == FLEET
        agents = account.json("GET", "/v1/agents", token=told["token"])
        assert agents["agents"] == []
        assert account.parts.secrets().read(HOOK_SECRET)["secret"]
        again = run("init-aws", "--data", tmp_path / "two")
        assert again.exit_code == 2
        assert "already" in again.output
    assert {path.name for path in (tmp_path / "two" / "keys").iterdir()} == {"root", "online"}


def test_an_interrupted_beginning_goes_on(account: Account, tmp_path: Path) -> None:
    with mock.patch.dict(os.environ, elsewhere(account)):
        account.cold()
        assert run("init-aws", "--data", tmp_path / "two", "--empty").exit_code == 0
        made = run("init-aws", "--data", tmp_path / "two")
        assert made.exit_code == 0, made.output
        assert "shown only now" in made.output


def test_models_are_published_into_the_bucket(account: Account, tmp_path: Path) -> None:
    card = str(write_model(tmp_path / "model"))
    data = ["--data", str(tmp_path / "aws")]
    for words in (["publish", card], ["promote", "veil", "1.0.0"], ["refresh"]):
        done = CliRunner().invoke(models, [*words, *data])
        assert done.exit_code == 0, done.output
    shown = json.loads(CliRunner().invoke(models, ["list", "--json", *data]).output)
    assert (shown["version"], shown["channel"]) == ("1.0.0", "stable")
    assert [one.wanted.version for one in account.parts.models().models()] == ["1.0.0"]


def test_a_fleet_moves_to_one_machine_and_back_with_all_that_it_has(
    account: Account, tmp_path: Path
) -> None:
    enrol(account, "van-1")
    add(account, "van-1", "walk")
    before = set(account.parts.store.every())
    there, back, data = tmp_path / "there", tmp_path / "back", tmp_path / "machine"
    assert run("export", there, "--aws").exit_code == 0
    assert run("init", "--data", data, "--fleet", FLEET, "--empty").exit_code == 0
    done = run("import", there, "--data", data, "--json")
    assert json.loads(done.output) == {"documents": len(before)}
    assert run("import", there, "--data", data).exit_code == 2  # not twice
    assert run("export", back, "--data", data).exit_code == 0
    with mock.patch.dict(os.environ, elsewhere(account)):
        account.cold()
        assert run("init-aws", "--data", tmp_path / "two", "--empty").exit_code == 0
        done = run("import", back, "--aws")
        assert done.exit_code == 0, done.output
        after = set(account.parts.store.every())
        changed = {(one.kind, one.key) for one in after ^ before}
        assert changed == {("fleet", FLEET)}  # its numbers go on beyond all that were given out
        (walk,) = account.json("GET", "/v1/streams")["streams"]  # by the token of before
        assert walk["id"] == "walk"


def test_a_fleet_does_not_move_into_another(account: Account, tmp_path: Path) -> None:
    enrol(account, "van-1")
    assert run("export", tmp_path / "file", "--aws").exit_code == 0
    assert run("init", "--data", tmp_path / "zoo", "--fleet", "zoo", "--empty").exit_code == 0
    done = run("import", tmp_path / "file", "--data", tmp_path / "zoo")
    assert done.exit_code == 2
    assert "not of the fleet zoo" in done.output


def test_an_operator_asks_the_functions_as_any_control_plane(account: Account) -> None:
    enrol(account, "van-1")
    with (
        serving(http.application(account.parts)) as url,
        mock.patch.dict(os.environ, {"VEILCAST_TOKEN": account.token}),
    ):
        to = ["--control", url]
        listed = CliRunner().invoke(fleet, ["list", *to, "--json"])
        assert json.loads(listed.output)["id"] == "van-1"
        logs = CliRunner().invoke(fleet, ["logs", *to])
        assert logs.exit_code == ApiError.exit_code
        assert "veilcast fleet watch" in " ".join(logs.output.split())
