"""`veilcast enroll` as a person runs it, against a real server: keys stay here, secrets unseen."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.errors import FleetError, SettingsError, VeilcastError
from edge_agent.fleet.control_plane import ControlPlane, checked_url
from edge_agent.fleet.details import read_details
from edge_agent.fleet.device_settings import read_device_settings
from edge_agent.fleet.home import Home
from edge_agent.fleet.identity import Identity
from tests.edge_agent.fleet.authority import Authority
from tests.edge_agent.fleet.control_server import TOKEN, ControlServer

COMMAND = [sys.executable, "-c", "from edge_agent.cli import main; main()"]


@pytest.fixture
def server(authority: Authority) -> Iterator[ControlServer]:
    made = ControlServer(authority)
    yield made
    made.close()


def enroll(
    server: ControlServer, home: Path, *flags: str, token: str | None = TOKEN
) -> tuple[int, str]:
    """The exit status, and all that a person would see."""
    arguments = ["enroll", "--control", server.url, "--home", str(home), *flags]
    ended = CliRunner().invoke(app, arguments, env={"VEILCAST_CLAIM": token})
    if isinstance(ended.exception, VeilcastError):
        return ended.exception.exit_code, ended.output + str(ended.exception)
    assert ended.exception is None, ended.exception
    return ended.exit_code, ended.output


def test_a_device_gets_an_identity_whose_key_was_made_here(
    server: ControlServer, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "home"
    ended = subprocess.run(
        [*COMMAND, "enroll", "--control", server.url, "--home", folder, "--name", "van-7"],
        env=os.environ | {"VEILCAST_CLAIM": TOKEN}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stderr == ""
    assert ended.stdout == f"enrolled as acme/van-7 in {folder}\n"
    home = Home(folder)
    certificate = x509.load_pem_x509_certificate(home.certificate.read_bytes())
    key = load_pem_private_key(home.key.read_bytes(), None)
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=acme/van-7"
    assert read_details(home).broker.port == 8883
    assert json.loads(home.root.read_text())["signed"]["_type"] == "root"
    assert "PRIVATE KEY" not in str(server.requests)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert (modes, stat.S_IMODE(folder.stat().st_mode)) == ({0o600}, 0o700)
    assert not home.next_key.exists()


def test_the_token_comes_from_a_file_or_stdin_and_is_never_shown(
    server: ControlServer, tmp_path: Path
) -> None:
    (tmp_path / "claim").write_text(f"{TOKEN}\n")
    status, said = enroll(
        server, tmp_path / "a", "--token-file", str(tmp_path / "claim"), token=None
    )
    assert status == 0, said
    status, again = enroll(server, tmp_path / "b")
    assert status == FleetError.exit_code
    assert "403 token spent?[2J" in again  # what a server says cannot act on the terminal
    assert TOKEN not in said + again
    assert not Home(tmp_path / "b").details.exists()


def test_a_home_is_enrolled_once(server: ControlServer, tmp_path: Path) -> None:
    assert enroll(server, tmp_path / "home")[0] == 0
    key = Home(tmp_path / "home").key.read_bytes()
    server.spent.clear()
    status, said = enroll(server, tmp_path / "home")
    assert status == FleetError.exit_code
    assert "already enrolled" in said
    assert Home(tmp_path / "home").key.read_bytes() == key


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((201, b"{}"), "not understood"),
        ((201, b"not json"), "not understood"),
        ((200, b"{}"), "refused: 200"),
        ((500, b"<html>"), "refused: 500"),
        ((201, b" " * 2_000_000), "too large"),
    ],
)
def test_a_strange_answer_ends_in_one_sentence_and_no_identity(
    server: ControlServer, tmp_path: Path, answer: tuple[int, bytes], words: str
) -> None:
    server.answers["/v1/enrol"] = answer
    status, said = enroll(server, tmp_path / "home")
    assert status == FleetError.exit_code
    assert words in said
    assert not Home(tmp_path / "home").details.exists()


def test_a_certificate_for_another_key_is_not_kept(
    server: ControlServer, tmp_path: Path, authority: Authority
) -> None:
    foreign, _ = authority.issue(tmp_path, "acme/other")
    status, body = server.answer("/v1/enrol", {"token": TOKEN, "csr": _request(tmp_path)}, None)
    assert status == 201
    swapped = json.loads(body) | {"certificate": foreign.read_text()}
    server.answers["/v1/enrol"] = (201, json.dumps(swapped).encode())
    code, said = enroll(server, tmp_path / "home")
    assert code == FleetError.exit_code
    assert "not for this device's key" in said
    assert not Home(tmp_path / "home").certificate.exists()


def _request(folder: Path) -> str:
    home = Home(folder / "other")
    home.create()
    return Identity(home).prepare("acme/other").decode()


def test_nobody_there_is_told_in_one_sentence(server: ControlServer, tmp_path: Path) -> None:
    server.close()
    status, said = enroll(server, tmp_path / "home")
    assert status == FleetError.exit_code
    assert "cannot reach" in said


@pytest.mark.parametrize(
    "url", ["http://fleet.example", "ftp://localhost", "https://a:b@fleet.example", "fleet", "http://[",],
)  # fmt: skip
def test_a_token_does_not_travel_in_the_open(url: str) -> None:
    with pytest.raises(FleetError):
        checked_url(url, insecure=False)


def test_plain_http_is_for_this_machine_or_by_the_owners_word() -> None:
    assert checked_url("http://localhost:8080/", insecure=False) == "http://localhost:8080"
    assert checked_url("http://fleet.example", insecure=True) == "http://fleet.example"
    assert checked_url("https://fleet.example", insecure=False) == "https://fleet.example"


def test_a_file_that_holds_no_authority_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("nothing")
    with pytest.raises(FleetError, match="no certificate"):
        ControlPlane("https://fleet.example", ca=tmp_path / "ca")


def test_kill_9_between_the_renames_of_a_new_key_is_mended_at_the_next_start(
    tmp_path: Path, authority: Authority
) -> None:
    home = Home(tmp_path / "home")
    home.create()
    identity = Identity(home)
    for _ in range(2):
        request = identity.prepare("acme/van-7")
        identity.keep(authority.sign_request(request, "acme/van-7"))
        identity.promote()
    request = identity.prepare("acme/van-7")
    new_key = home.next_key.read_bytes()
    identity.keep(authority.sign_request(request, "acme/van-7"))
    home.next_certificate.replace(home.certificate)  # and here the power went
    mended = Identity(home)
    assert home.key.read_bytes() == new_key
    assert mended.successor is None
    assert not home.next_key.exists()


def test_a_key_that_was_never_certified_is_forgotten(tmp_path: Path, authority: Authority) -> None:
    home = Home(tmp_path / "home")
    home.create()
    identity = Identity(home)
    identity.keep(authority.sign_request(identity.prepare("acme/van-7"), "acme/van-7"))
    identity.promote()
    key = home.key.read_bytes()
    identity.prepare("acme/van-7")
    Identity(home)
    assert not home.next_key.exists()
    assert home.key.read_bytes() == key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[protect]\nmosaics = 1\n", "protect.mosaics: unknown setting"),
        ("[sinks]\nBad = 'rtmp://h/a/secret'\n", "sinks.Bad"),
        ("[sources]\ncam = {}\n", "sources.cam"),
        ("[protect\n", "device.toml"),
    ],
)
def test_a_wrong_device_setting_is_told_by_its_name_and_never_by_its_value(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "device.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as told:
        read_device_settings(file)
    assert words in str(told.value)
    assert "secret" not in str(told.value)
