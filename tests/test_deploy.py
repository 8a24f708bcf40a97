"""What can be said of compose.yaml, the images and the units without Docker or systemd running."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_lines import lines_of, parse

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
WORST_EXPOSURE = 25  # tenths, as systemd-analyze counts: 10 is no confinement


@pytest.fixture
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8")))


def dockerfile() -> list[list[str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def unit(path: Path) -> dict[str, list[str]]:
    """The settings of a unit, by name; one may be given more than once."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def ports(service: dict[str, Any]) -> set[str]:
    return {one.rpartition(":")[2] for one in service["ports"]}


def test_the_parser_refuses_what_the_command_line_would() -> None:
    for words in (
        ["control", "serv"],
        ["agent", "--hom", "/a"],
        ["control", "serve", "--port", "x"],
    ):
        with pytest.raises(Exception, match=r"No such|valid integer"):
            parse(words)


def test_every_command_of_compose_is_accepted(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert service["command"][0] == "veilcast"
        parse(service["command"][1:])
    compile(compose["services"]["control"]["healthcheck"]["test"][-1], "healthcheck", "exec")
    words = " ".join(compose["services"]["agent"]["healthcheck"]["test"])
    for line in lines_of(f"`{words}`"):
        parse(line)


def test_services_are_confined_and_keep_what_they_write(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service["user"].startswith("0")
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]
        (volume,) = service["volumes"]
        kept, _, where = volume.partition(":")
        assert kept in compose["volumes"]
        assert where in service["command"], f"{name} writes to where nothing is kept"


def test_images_are_made_of_what_is_there(compose: dict[str, Any]) -> None:
    lines = dockerfile()
    pairs = [list(pair) for line in lines for pair in pairwise(line)]
    stages = {line[3] for line in lines if line[0] == "FROM"}
    for service in compose["services"].values():
        assert service["build"]["target"] in stages
        assert (ROOT / service["build"]["dockerfile"]).exists()
        assert ["--uid", service["user"].partition(":")[0]] in pairs
    copied = {
        one for line in lines if line[0] == "COPY" and not line[1].startswith("--")
        for one in line[1:-1]
    }  # fmt: skip
    for one in copied:
        assert (ROOT / one).exists(), one
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"], project["project"]["readme"]} <= copied
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {f"!{one}" for one in copied} <= set(ignored)


def test_images_start_as_compose_does(compose: dict[str, Any]) -> None:
    commands = [re.findall(r'"([^"]+)"', " ".join(one)) for one in dockerfile() if one[0] == "CMD"]
    assert commands == [one["command"] for one in compose["services"].values()]
    last_user = [one[1] for one in dockerfile() if one[0] == "USER"][-1]
    assert last_user == "veilcast"


def test_ports_are_those_of_the_guide(compose: dict[str, Any]) -> None:
    listed = set(re.findall(r"^\| (\d{4}) \|", GUIDE, re.MULTILINE))
    assert ports(compose["services"]["control"]) <= listed
    exposed = next(one for one in dockerfile() if one[0] == "EXPOSE")
    assert set(exposed[1:]) == ports(compose["services"]["control"])
    (pushed,) = compose["services"]["agent"]["ports"]
    assert pushed.startswith("127.0.0.1:")  # raw video comes in there


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_units_command_is_accepted_and_writes_where_it_may(path: Path) -> None:
    settings = unit(path)
    (start,) = settings["ExecStart"]
    program, *words = start.split()
    assert program == "/opt/veilcast/bin/veilcast"
    parse(words)
    (state,) = settings["StateDirectory"]
    home = f"/var/lib/{state}"
    assert home in words
    assert settings["ConditionPathExists"][0].startswith(f"{home}/")
    users = (DEPLOY / "systemd" / "veilcast.conf").read_text(encoding="utf-8")
    assert re.search(rf'^u {settings["User"][0]} - "[^"]+" {home}$', users, re.MULTILINE)
    assert path.name in GUIDE
    assert home in GUIDE


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_accepts_a_unit_and_finds_it_confined(path: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze: THE UNITS ARE NOT VERIFIED")
    here = tmp_path / path.name
    program = ROOT / ".venv/bin/veilcast"
    text = path.read_text(encoding="utf-8").replace("/opt/veilcast/bin/veilcast", str(program))
    here.write_text(text, encoding="utf-8")
    verified = subprocess.run(
        [analyze, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in verified.stderr.splitlines() if path.name in line]
    assert (verified.returncode, complaints) == (0, [])
    measured = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={WORST_EXPOSURE}", "--no-pager",
         str(here)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert measured.returncode == 0, measured.stdout[-300:]


def test_sysusers_accepts_the_users() -> None:
    program = shutil.which("systemd-sysusers")
    if program is None:
        pytest.skip("no systemd-sysusers: THE SERVICES' USERS ARE NOT VERIFIED")
    made = subprocess.run(
        [program, "--dry-run", str(DEPLOY / "systemd" / "veilcast.conf")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("Would create user") in {0, 2}
