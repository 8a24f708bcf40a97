"""`veilcast fleet ...` against a control plane behind a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_control.client import Client
from cloud_control.domain.access import Role
from fleet_contract.protection import Protection
from tests.cloud_control.command_plane import FLEET, Operator, operating, refused

STREAM = ("stream", "add", "van-1", "--source", "cam", "--sink", "archive", "--id", "dash")


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    with operating(tmp_path) as made:
        yield made


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_agents_are_listed_by_label(operator: Operator) -> None:
    operator.enrol("van-1", labels={"city": "Bern"})
    operator.enrol("van-2")
    assert [one["id"] for one in lines(operator.does("list", "--json"))] == ["van-1", "van-2"]
    found = lines(operator.does("list", "--label", "city=Bern", "--json"))
    assert [(one["id"], one["online"]) for one in found] == [("van-1", True)]
    table = operator.does("list")
    assert "van-2" in table
    assert "city=Bern" in table


def test_more_agents_than_a_page_holds_are_all_listed(operator: Operator) -> None:
    operator.enrol("van-1", "van-2", "van-3")
    with Client(operator.url, operator.token) as api:
        assert [one["id"] for one in api.pages("/v1/agents", "agents", limit=1)] == [
            "van-1",
            "van-2",
            "van-3",
        ]


def test_one_agent_is_shown_whole(operator: Operator) -> None:
    operator.enrol("van-1")
    assert json.loads(operator.does("show", "van-1", "--json"))["applied"] == 1
    assert "agent_version" in operator.does("show", "van-1")


def test_how_often_figures_come_is_told_to_every_agent(operator: Operator) -> None:
    operator.enrol("van-1", "van-2")
    assert "every 10 s" in operator.does("telemetry")
    assert json.loads(operator.does("telemetry", "--every", "60", "--json")) == {"seconds": 60}
    told = [operator.bus.desired[agent].telemetry_seconds for agent in ("van-1", "van-2")]
    assert told == [60, 60]
    assert "fleet.telemetry" in operator.does("audit")


def test_a_stream_is_added_seen_and_removed(operator: Operator) -> None:
    operator.enrol("van-1")
    made = json.loads(operator.does(*STREAM, "--title", "Dashboard", "--json"))
    assert made["publish_key"]
    desired = operator.bus.desired["van-1"]
    assert [stream.id for stream in desired.streams] == ["dash"]
    assert desired.streams[0].source.ref == "cam"
    found = lines(operator.does("stream", "list", "--json"))
    assert [(one["id"], one["state"], one["title"]) for one in found] == [
        ("dash", "PROTECTED", "Dashboard")
    ]
    assert made["publish_key"] not in operator.does("stream", "show", "dash")
    assert "PROTECTED" in operator.does("stream", "list")
    operator.does("stream", "remove", "dash")
    assert operator.bus.desired["van-1"].streams == ()


def test_a_new_publish_key_is_printed_alone_and_voids_the_old_one(operator: Operator) -> None:
    operator.enrol("van-1")
    before = json.loads(operator.does(*STREAM, "--json"))["publish_key"]
    key = operator.does("stream", "rotate-key", "dash").strip()
    assert key not in {"", before}
    assert operator.plane.streams.get(FLEET, "dash").publish_key == key
    assert lines(operator.does("audit", "--json"))[-1]["action"] == "stream.rotate-key"


def test_operators_are_let_in_and_out(operator: Operator) -> None:
    token = operator.does("token", "add", "Lee", "--role", "viewer", "--days", "30").strip()
    assert operator.types("list", token=token).exit_code == 0
    refused(operator.types("token", "list", token=token), "403")
    (lee,) = [
        one for one in lines(operator.does("token", "list", "--json")) if one["name"] == "Lee"
    ]
    assert token not in operator.does("token", "list")
    operator.does("token", "withdraw", str(lee["id"]))
    refused(operator.types("list", token=token), "401")
    refused(operator.types("token", "add", "Kim", "--role", "king"), "role")


@pytest.mark.parametrize("order", ["start", "stop", "veil"])
def test_orders_reach_the_stream_s_agent(operator: Operator, order: str) -> None:
    operator.enrol("van-1")
    operator.does(*STREAM)
    assert f"{order} done" in operator.does("stream", order, "dash")
    agent, name, command = operator.bus.asked[-1]
    assert (agent, name, command.model_dump()["stream"]) == ("van-1", order, "dash")


def test_what_an_agent_refuses_ends_with_its_reason(operator: Operator) -> None:
    operator.enrol("van-1")
    operator.does(*STREAM)
    refused(operator.types("stream", "unveil", "dash"), "needs_consent")


def test_a_self_test_is_asked_for(operator: Operator) -> None:
    operator.enrol("van-1")
    assert json.loads(operator.does("ask", "van-1", "self-test", "--json"))["outcome"] == "done"
    refused(operator.types("ask", "van-1", "format-disk"), "self-test")


def test_protection_is_changed_where_it_is_said_and_nowhere_else(operator: Operator) -> None:
    operator.enrol("van-1", "van-2")
    operator.does(*STREAM)
    operator.does("set", "--thresh", "id_card=0.2", "--hold", "1.5")
    for agent in ("van-1", "van-2"):
        protection = operator.bus.desired[agent].protection
        assert (protection.hold, protection.classes.id_card.thresh) == (1.5, 0.2)
        assert protection.classes.license_plate.thresh is None
    operator.does("set", "--agent", "van-2", "--mask-scale", "2")
    assert operator.bus.desired["van-1"].protection.mask_scale == Protection().mask_scale
    own = operator.bus.desired["van-2"].protection
    assert (own.mask_scale, own.hold) == (2.0, 1.5)
    operator.does("set", "--stream", "dash", "--no-hide", "all", "--thresh", "id_card=own")
    stream = operator.bus.desired["van-1"].streams[0].protection
    assert stream is not None
    assert not stream.classes.license_plate.hide
    assert (stream.hold, stream.classes.id_card.thresh) == (1.5, None)
    operator.does("set", "--stream", "dash", "--inherit")
    operator.does("set", "--agent", "van-2", "--inherit")
    assert operator.bus.desired["van-1"].streams[0].protection is None
    assert operator.bus.desired["van-2"].protection.mask_scale == Protection().mask_scale


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--thresh", "moose=0.2"), "moose"),
        (("--thresh", "id_card"), "NAME=VALUE"),
        (("--thresh", "id_card=low"), "id_card=0.3"),
        (("--thresh", "id_card=7"), "thresh"),
        (("--replacewith", "glitter"), "replacewith"),
        (("--inherit",), "--agent"),
        (("--agent", "nobody", "--hold", "1"), "nobody"),
    ],
)
def test_what_cannot_be_set_is_named(operator: Operator, words: tuple[str, ...], said: str) -> None:
    refused(operator.types("set", *words), said)


def test_a_claim_is_printed_alone_to_be_piped(operator: Operator) -> None:
    token = operator.does("claim", "--agent", "van-9", "--label", "city=Bern").strip()
    assert token.startswith("vcc_")
    assert token not in operator.does("audit")


def test_a_rollout_is_started_and_followed_to_its_end(operator: Operator) -> None:
    operator.enrol("van-1", "van-2")
    start = ("rollout", "start", "veil-nano", "1.2.0", "--waves", "100", "--soak", "0")
    operator.does(*start)
    operator.plane.rollouts.tick()
    found = json.loads(operator.does("rollout", "show", "--follow", "--json"))
    assert (found["status"], {one["outcome"] for one in found["agents"]}) == ("finished", {"done"})
    assert "finished" in operator.does("rollout", "show", "--follow")
    assert "veil-nano 1.2.0" in operator.does("rollout", "list")
    model = operator.bus.desired["van-1"].model
    assert model is not None
    assert model.target == "veil-nano/1.2.0/veil-nano.json"


def test_an_aborted_rollout_says_who_failed_and_ends_badly(operator: Operator) -> None:
    operator.enrol("van-1")
    operator.bus.failing.add("van-1")
    operator.does("rollout", "start", "veil-nano", "1.2.0", "--waves", "100", "--soak", "0")
    operator.plane.rollouts.tick()
    result = operator.types("rollout", "show", "--follow")
    refused(result, "aborted", "self_test_failed")


def test_a_rollout_is_held_and_stopped_by_hand(operator: Operator) -> None:
    operator.enrol("van-1")
    refused(operator.types("rollout", "pause"), "no rollout")
    operator.bus.silent.add("van-1")
    operator.does("rollout", "start", "veil-nano", "1.2.0", "--first", "city=Bern")
    assert "paused" in operator.does("rollout", "pause")
    assert "running" in operator.does("rollout", "resume")
    assert "aborted" in operator.does("rollout", "abort")
    refused(operator.types("rollout", "abort"), "aborted")


def test_what_happened_is_in_the_log_without_secrets(operator: Operator) -> None:
    operator.enrol("van-1")
    key = json.loads(operator.does(*STREAM, "--json"))["publish_key"]
    operator.does("revoke", "van-1")
    shown = operator.does("audit", "--json")
    assert [one["action"] for one in lines(shown)][-2:] == ["stream.add", "agent.revoke"]
    assert key not in shown
    assert operator.token not in shown


def test_viewers_look_and_touch_nothing(operator: Operator) -> None:
    operator.enrol("van-1")
    viewer = operator.token_of(Role.VIEWER)
    assert operator.types("list", token=viewer).exit_code == 0
    refused(operator.types("set", "--hold", "2", token=viewer), "403")
    refused(operator.types("claim", token=viewer), "403")


def test_who_nobody_knows_is_told_so_without_the_token(operator: Operator) -> None:
    result = operator.types("list", token="vco_guessed")
    refused(result, "401")
    assert "guessed" not in result.output


def test_without_a_token_the_fix_is_named(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VEILCAST_TOKEN_FILE", raising=False)
    refused(operator.types("list", token=" "), "VEILCAST_TOKEN")


def test_the_token_may_lie_in_a_file(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{operator.token}\n")
    assert operator.types("list", "--token-file", str(file), token="wrong").exit_code == 0
    refused(operator.types("list", "--token-file", str(tmp_path / "none")), "cannot be read")


def test_nobody_at_the_address_is_one_sentence(operator: Operator) -> None:
    refused(operator.types("list", "--control", "http://127.0.0.1:1"), "cannot reach")
    refused(operator.types("list", "--control", "localhost"), "https://")
    refused(operator.types("list", "--ca", "/dev/null"), "authority")


def test_events_are_followed_and_resumed(operator: Operator) -> None:
    operator.enrol("van-1")
    with Client(operator.url, operator.token) as api:
        after = str(operator.plane.events.newest)
        operator.does(*STREAM)
        first = next(news for news in api.events(after) if news.kind == "stream_added")
        assert first.data["id"] == "dash"
        operator.does("stream", "remove", "dash")
        kinds = []
        for news in api.events(first.id):
            kinds.append(news.kind)
            if news.kind == "stream_removed":
                break
        assert "stream_added" not in kinds
