"""`veilcast consent` and `veilcast agent status`, as the owner types them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.errors import FleetError, SettingsError
from edge_agent.fleet.home import Home
from edge_agent.fleet.store import Store
from fleet_contract.protection import Protection
from tests.edge_agent.fleet.authority import Authority
from tests.edge_agent.fleet.device import enrolled_home, stream

Call = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, authority: Authority) -> Home:
    """An agent has run here, and the cloud wants two fields looser."""
    made = enrolled_home(tmp_path / "home", authority, 1)
    wish = {"mosaic": False, "hold": 0.1}
    document = {
        "v": 1, "version": 3, "issued_at": 1, "streams": [stream(protection=wish, title="new")],
    }  # fmt: skip
    store = Store(made.state)
    store.apply(json.dumps(document).encode(), (), {"cam-1": Protection()}, {"cam-1": True})
    store.close()
    return made


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    made = Store(home.state)
    yield made
    made.close()


@pytest.fixture
def call(home: Home) -> Call:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--home", str(home.folder)])

    return run


def test_consent_covers_what_is_asked_now(call: Call, store: Store) -> None:
    given = call("consent", "give", "cam-1", "mosaic", "--minutes", "5", "--yes")
    assert given.exit_code == 0, given.output
    assert "mosaic: on -> off" in given.output
    (consent,) = store.consents(0)
    assert (consent.stream, consent.path) == ("cam-1", "mosaic")
    assert consent.asked == Protection(mosaic=False, hold=0.1)
    listed = json.loads(call("consent", "list", "--json").output)
    assert {row["field"] for row in listed["waiting"]} == {"mosaic", "hold"}
    assert [row["field"] for row in listed["given"]] == ["mosaic"]
    assert "allowed until" in call("consent", "list").output
    assert call("consent", "revoke", "cam-1", "mosaic").exit_code == 0
    assert store.consents(0) == ()


def test_a_person_must_be_there_or_say_so(call: Call, store: Store) -> None:
    asked = call("consent", "give", "cam-1", "mosaic", "--minutes", "5")
    assert isinstance(asked.exception, FleetError)
    assert "--yes" in str(asked.exception)
    assert store.consents(0) == ()


def test_nothing_is_allowed_in_advance(call: Call, store: Store) -> None:
    given = call("consent", "give", "cam-1", "look_ahead", "--minutes", "5", "--yes")
    assert isinstance(given.exception, SettingsError)
    assert "waiting: mosaic, hold" in str(given.exception)
    assert store.consents(0) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        ("consent", "give", "cam-9", "mosaic", "--minutes", "5", "--yes"),
        ("consent", "give", "cam-9", "unveil", "--minutes", "5", "--yes"),
        ("consent", "revoke", "cam-1", "hold"),
    ],
)
def test_a_slip_ends_in_one_sentence(call: Call, wrong: tuple[str, ...]) -> None:
    assert isinstance(call(*wrong).exception, FleetError)


@pytest.mark.parametrize("minutes", ["0", "100000", "soon"])
def test_no_consent_lasts_for_ever(call: Call, minutes: str) -> None:
    assert call("consent", "give", "cam-1", "mosaic", "--yes", "--minutes", minutes).exit_code == 2


def test_elsewhere_than_on_the_device_nothing_is_given(tmp_path: Path) -> None:
    arguments = ["consent", "give", "cam-1", "mosaic", "--minutes", "5", "--yes"]
    ended = CliRunner().invoke(app, [*arguments, "--home", str(tmp_path / "nowhere")])
    assert isinstance(ended.exception, FleetError)
    assert not (tmp_path / "nowhere").exists()


def test_status_tells_what_is_stored_and_no_key(call: Call) -> None:
    ended = call("agent", "status", "--json")
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.output)
    assert (found["fleet"], found["agent"], found["running"]) == ("acme", "van-7", False)
    assert found["applied"] == 3
    assert found["streams"] == [
        {"id": "cam-1", "on": True, "veiled": False, "held_back": ["mosaic", "hold"]}
    ]
    plain = call("agent", "status").output
    assert "cam-1: on; waiting for consent: mosaic, hold" in plain
    assert "-key" not in ended.output + plain


def test_an_agent_without_an_enrolment_says_what_to_do(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["agent", "--home", str(tmp_path / "nowhere")])
    assert isinstance(ended.exception, FleetError)
    assert "veilcast enroll" in str(ended.exception)
