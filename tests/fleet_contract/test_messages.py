"""The rules within single messages, and that they still fit the agent's own words."""

from __future__ import annotations

from itertools import permutations
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from edge_agent.boxes import LABELS
from edge_agent.redact.mosaic import Style
from edge_agent.redact.protected import State
from edge_agent.settings import Protect
from fleet_contract.acceptance import DropReason
from fleet_contract.ack import Ack
from fleet_contract.desired import Desired
from fleet_contract.errors import Reason
from fleet_contract.protection import Classes, Label, Protection
from fleet_contract.reported import RefusalReason
from fleet_contract.status import Status, next_connection, overrules
from fleet_contract.stream_state import StreamState
from fleet_contract.telemetry import DroppedCommands


def status(connection: int, state: str) -> Status:
    reason = {"online": "connected", "offline": "lost"}[state]
    return Status.model_validate(
        {
            "state": state,
            "connection": connection,
            "at": 1,
            "reason": reason,
            "agent_version": "1.0.0",
        }
    )


def test_a_late_will_never_overrules_a_newer_connection() -> None:
    """Whatever the order of arrival, the last connection's last word stands."""
    said = [status(7, "online"), status(7, "offline"), status(8, "online")]
    for order in permutations(said):
        stands = order[0]
        for new in order[1:]:
            stands = new if overrules(new, stands) else stands
        assert stands == status(8, "online")


def test_within_a_connection_offline_is_final() -> None:
    assert overrules(status(7, "offline"), status(7, "online"))
    assert not overrules(status(7, "online"), status(7, "offline"))
    assert overrules(status(7, "online"), status(7, "online"))


def test_connection_numbers_grow_through_a_lost_disk_and_a_clock_set_back() -> None:
    first = next_connection(0, now_ms=1_800_000_000_000)
    assert next_connection(first, now_ms=5) == first + 1
    assert next_connection(0, now_ms=1_800_000_009_000) > first


def test_two_streams_cannot_share_an_id() -> None:
    stream = {"id": "a", "source": {"ref": "x"}, "sinks": ({"ref": "y"},)}
    with pytest.raises(ValidationError, match="same id"):
        Desired.model_validate({"version": 1, "issued_at": 0, "streams": (stream, stream)})


def test_a_stream_without_its_own_protection_has_the_documents() -> None:
    own = {"mask_scale": 2.0}
    streams: tuple[dict[str, Any], ...] = (
        {"id": "a", "source": {"ref": "x"}, "sinks": ({"ref": "y"},)},
        {"id": "b", "source": {"ref": "x"}, "sinks": ({"ref": "y"},), "protection": own},
    )
    document = Desired.model_validate(
        {"version": 1, "issued_at": 0, "streams": streams, "protection": {"hold": 2.0}}
    )
    assert [document.protection_of(stream) for stream in document.streams] == [
        Protection(hold=2.0),
        Protection(mask_scale=2.0),
    ]


CONSENT = {"path": "mosaic", "expires_at": 9}
LIVE = {
    "at": 1, "connection": 1, "run": "running", "state": "PROTECTED", "desired_version": 1,
    "source_connected": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ({"run": "failed"}, "does not run"),
        ({"run": "stopped", "state": "DEGRADED"}, "does not run"),
        ({"state": "OFF"}, "consent"),
        ({"veiled": True}, "veiled"),
        ({"veiled": True, "state": "OFF", "loosened": (CONSENT,)}, "veiled"),
    ],
)
def test_a_badge_cannot_claim_more_than_is(claim: dict[str, Any], said: str) -> None:
    StreamState.model_validate(LIVE)
    with pytest.raises(ValidationError, match=said):
        StreamState.model_validate({**LIVE, **claim})


@pytest.mark.parametrize(
    ("outcome", "reason"), [("failed", None), ("dropped", None), ("done", "x")]
)
def test_an_acknowledgement_says_why_only_and_always_when_something_went_wrong(
    outcome: str, reason: str | None
) -> None:
    with pytest.raises(ValidationError, match="reason"):
        Ack.model_validate({"command": "stop", "at": 1, "outcome": outcome, "reason": reason})


def test_messages_are_immutable_and_take_no_misspelt_field() -> None:
    with pytest.raises(ValidationError):
        status(1, "online").connection = 2  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Protection.model_validate({"mask_size": 2.0})


def test_names_are_the_agents_own() -> None:
    assert get_args(Label) == LABELS == tuple(Classes.model_fields)
    assert get_args(StreamState.model_fields["state"].annotation) == tuple(State)
    assert get_args(Protection.model_fields["replacewith"].annotation) == tuple(Style)
    assert set(DroppedCommands.model_fields) == set(DropReason)


def test_whatever_can_be_wrong_with_a_desired_document_can_be_reported() -> None:
    from_cloud = set(Reason) - {Reason.UNKNOWN_FIELD, Reason.UNKNOWN_COMMAND}
    assert set(map(str, from_cloud)) <= set(get_args(RefusalReason))


def limits(model: type[BaseModel], name: str) -> dict[str, Any]:
    found = model.model_json_schema()["properties"][name]
    return {key: found[key] for key in ("minimum", "maximum", "default", "enum") if key in found}


def test_protection_has_the_ranges_and_defaults_of_the_agents_settings() -> None:
    shared = set(Protection.model_fields) & set(Protect.model_fields)
    assert shared == set(Protection.model_fields) - {"mosaic"}
    for name in shared - {"classes"}:
        assert limits(Protection, name) == limits(Protect, name), name
    theirs = Protect.model_validate(Protection().model_dump(exclude={"mosaic"}))
    assert theirs.model_dump(exclude={"model"}) == Protection().model_dump(exclude={"mosaic"})
