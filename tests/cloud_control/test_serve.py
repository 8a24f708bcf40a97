"""`veilcast control` as an operator types it: made once, served once, ended cleanly."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud_control.cli import control
from cloud_control.data_folder import DataFolder
from cloud_control.errors import DataFolderError, ServeError
from cloud_control.serve import Wanted, run
from tests.cloud_control.brokers import HOST, free_port
from tests.fleet.planes import Plane
from tests.fleet.processes import veilcast, wait_for

invoke = CliRunner().invoke


def wanted(data: Path, **more: object) -> Wanted:
    fields = {"broker": "embedded", "bind": HOST, "port": free_port(), "broker_port": free_port()}
    return Wanted(data, **(fields | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("plane") / "data"
    shown = invoke(control, ["init", "--data", str(data), "--host", HOST, "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["token"].startswith("vco_")
    return data


def test_what_init_makes_is_its_owners_only(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    private = [path for path in made.rglob("*") if path.suffix in {".key", ".pem", ".sqlite"}]
    assert len(private) >= 7
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_the_first_token_is_kept_as_its_digest_only(made: Path, tmp_path: Path) -> None:
    shown = invoke(control, ["init", "--data", str(tmp_path / "data"), "--json"])
    token = json.loads(shown.stdout)["token"].encode()
    assert not [path for path in (tmp_path / "data").rglob("*") if holds(path, token)]
    assert made.exists()


def holds(path: Path, secret: bytes) -> bool:
    return path.is_file() and secret in path.read_bytes()


def test_init_never_touches_a_control_plane_that_is_there(made: Path) -> None:
    before = (made / "ca" / "ca.crt").read_bytes()
    shown = invoke(control, ["init", "--data", str(made)])
    assert (shown.exit_code, (made / "ca" / "ca.crt").read_bytes()) == (2, before)
    assert "holds a control plane already" in shown.output


def test_init_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    invoke(control, ["init", "--data", str(tmp_path)])
    (tmp_path / "control.json").unlink()
    before = (tmp_path / "ca" / "ca.crt").read_bytes()
    assert invoke(control, ["init", "--data", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "ca" / "ca.crt").read_bytes() == before


@pytest.mark.parametrize("fleet", ["Acme", "a/b", "+", ""])
def test_a_fleet_that_cannot_be_named_so_is_refused(tmp_path: Path, fleet: str) -> None:
    shown = invoke(control, ["init", "--data", str(tmp_path / "data"), "--fleet", fleet])
    assert shown.exit_code == 2
    assert "--fleet" in shown.output
    assert not (tmp_path / "data").exists()


def test_serve_without_init_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="veilcast control init"):
        run(wanted(tmp_path))


def test_a_taken_port_is_named(made: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"listen on {HOST}:{port}"):
            run(wanted(made, port=port))


def test_two_control_planes_never_share_a_folder(made: Path) -> None:
    with DataFolder(made).locked(), pytest.raises(DataFolderError, match="stop it first"):
        run(wanted(made))


@pytest.mark.parametrize("broker", ["mqtt://localhost", "mqtts://", "hive", "mqtts://host:port"])
def test_a_broker_that_is_none_is_refused(made: Path, broker: str) -> None:
    with pytest.raises(ServeError, match="--broker is"):
        run(wanted(made, broker=broker))


def test_recordings_need_something_that_is_published(made: Path) -> None:
    with pytest.raises(ServeError, match="--ingest nginx or embedded"):
        run(wanted(made, record=True))


def test_serve_answers_and_ends_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    with Plane(tmp_path, "embedded") as plane:
        assert plane.ask("GET", "/readyz") == {"status": "ok", "fleet": "acme"}
        assert plane.ask("GET", "/v1/whoami")["role"] == "admin"
        assert plane.ask("GET", "/models/metadata/timestamp.json")["signed"]["_type"] == "timestamp"
        assert plane.process.stop() == 0
    wait_for(lambda: not plane.process.alive, "it has ended")
    assert "stopping" in plane.process.text()


def test_help_teaches_both_commands() -> None:
    for name in ("init", "serve"):
        assert "--data" in veilcast("control", name, "--help")
