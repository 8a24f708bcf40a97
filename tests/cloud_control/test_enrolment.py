"""How devices join, prove who they are, change keys and are shut out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cloud_control.stand_in import FLEET, Device, StandIn

DAY_S = 24 * 3600


@pytest.fixture
def place() -> StandIn:
    return StandIn(time.time)


def claimed(place: StandIn, **wanted: Any) -> str:
    return str(place.asks("POST", "/v1/claims", json=wanted).json()["token"])


def certificate(place: StandIn, token: str, request: str) -> Any:
    return place.client.post(
        "/v1/device/certificate",
        json={"csr": request},
        headers={"Authorization": f"Bearer {token}"},
    )


def test_a_claim_is_spent_once(place: StandIn) -> None:
    token = claimed(place)
    assert Device("a").enrols(place, token, "van-1").status_code == 201
    second = Device("b").enrols(place, token, "van-2")
    assert second.status_code == 401
    assert token not in second.text
    assert place.asks("GET", "/v1/agents/van-2").status_code == 404


def test_a_claim_that_is_expired_wrong_or_withdrawn_lets_nobody_in(place: StandIn) -> None:
    old = claimed(place, seconds=60)
    gone = place.asks("POST", "/v1/claims", json={}).json()
    assert place.asks("DELETE", f"/v1/claims/{gone['id']}").status_code == 204
    place.ahead_s += 61
    for token in (old, gone["token"], "vcc_" + "x" * 43):
        assert Device("a").enrols(place, token).status_code == 401


def test_a_claim_for_one_agent_lets_in_no_other(place: StandIn) -> None:
    token = claimed(place, agent="van-1")
    assert Device("a").enrols(place, token, "van-2").status_code == 409
    assert Device("a").enrols(place, token).json()["agent"] == "van-1"


def test_a_name_that_is_taken_is_refused_and_the_claim_stays_good(place: StandIn) -> None:
    place.device("van-1")
    token = claimed(place)
    assert Device("b").enrols(place, token, "van-1").status_code == 409
    assert Device("b").enrols(place, token, "van-2").status_code == 201


def test_a_request_that_is_none_is_refused_and_the_claim_stays_good(place: StandIn) -> None:
    token = claimed(place)
    body = {"token": token, "csr": "-----BEGIN NONSENSE-----"}
    assert place.client.post("/v1/enrol", json=body).status_code == 400
    assert Device("a").enrols(place, token).status_code == 201


def test_who_joins_anew_by_a_claim_for_its_name_loses_the_old_certificate(place: StandIn) -> None:
    place.device("van-1")
    place.device("van-1")
    assert len(place.certifier.revoked) == 1


def test_a_device_gets_a_certificate_for_a_new_key_and_the_old_one_ends_in_a_day(
    place: StandIn,
) -> None:
    device = place.device("van-1")
    old_key = device.key
    token = device.token(place)
    device.renew()
    assert certificate(place, token, device.request).status_code == 200
    assert certificate(place, device.token(place, jti="new-key"), device.request).is_success
    device.key, new_key = old_key, device.key
    place.ahead_s += DAY_S + 1
    place.plane.enrolment.retire()
    assert place.certifier.revoked
    # The server's library looks at the real clock: the token is of now, only the day has passed.
    place.ahead_s -= DAY_S + 1
    late = device.token(place, jti="late")
    place.ahead_s += DAY_S + 1
    assert certificate(place, late, device.request).status_code == 401
    assert new_key is not old_key


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody-else"},
        {"sub": f"{FLEET}/van-2"},
        {"sub": "nonsense"},
        {"exp": int(time.time()) + 3600},
        {"exp": int(time.time()) - 600, "iat": int(time.time()) - 660},
    ],
)
def test_a_device_that_cannot_prove_itself_is_refused(
    place: StandIn, claims: dict[str, Any]
) -> None:
    device = place.device("van-1")
    place.device("van-2")
    answer = certificate(place, device.token(place, **claims), device.request)
    assert answer.status_code == 401


def test_a_foreign_key_and_an_unsigned_token_are_refused(place: StandIn) -> None:
    place.device("van-1")
    stranger = Device("van-1")
    assert certificate(place, stranger.token(place), stranger.request).status_code == 401
    head, body, _ = stranger.token(place).split(".")
    assert certificate(place, f"{head}.{body}.", stranger.request).status_code == 401


def test_a_device_token_is_good_once(place: StandIn) -> None:
    device = place.device("van-1")
    token = device.token(place)
    assert certificate(place, token, device.request).status_code == 200
    assert certificate(place, token, device.request).status_code == 401


def test_a_revoked_device_is_shut_out_until_it_is_claimed_anew(place: StandIn) -> None:
    device = place.device("van-1")
    assert place.asks("DELETE", "/v1/agents/van-1").status_code == 204
    assert len(place.certifier.revoked) == 1
    assert certificate(place, device.token(place), device.request).status_code == 401
    assert place.device("van-1").token(place)
    assert place.asks("GET", "/v1/agents/van-1").json()["revoked"] is False


def test_only_who_fails_often_has_to_wait(place: StandIn) -> None:
    answers = [Device("a").enrols(place, f"vcc_{n}").status_code for n in range(12)]
    assert answers[0] == 401
    assert answers[-1] == 429
    assert Device("b").enrols(place, claimed(place)).status_code == 201
