"""The control plane as functions: a stream's life, and what AWS does that one machine does not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_control.pki import Authority
from fleet_contract.ack import Ack
from fleet_contract.reported import Reported
from fleet_contract.status import Status
from fleet_contract.stream_state import StreamState
from fleet_contract.telemetry import StreamCounts, Telemetry
from fleet_contract.topics import Kind
from tests.cloud_control.aws.account import FLEET, Account, opened
from tests.cloud_control.aws.front import Front, fault
from tests.cloud_control.brokers import make_request
from tests.cloud_control.stand_in import Device

VERSION = "1.0.0"


@pytest.fixture
def account(front: Front, tmp_path: Path) -> Iterator[Account]:
    with opened(front, tmp_path) as found:
        yield found


def enrol(account: Account, name: str) -> dict[str, Any]:
    claim = account.json("POST", "/v1/claims", {"agent": name})["token"]
    csr = make_request(ec.generate_private_key(ec.SECP256R1()))
    return dict(account.json("POST", "/v1/enrol", {"token": claim, "csr": csr}, token=""))


def online(connection: int = 1) -> Status:
    return Status(
        state="online", connection=connection, at=1, reason="connected", agent_version=VERSION
    )


def state(shown: str = "PROTECTED", at: int = 1, run: str = "running") -> StreamState:
    return StreamState.model_validate(
        {"at": at, "connection": 1, "run": run, "state": shown, "desired_version": 1,
         "source_connected": run == "running", "reason": None if run == "running" else "stopped"}
    )  # fmt: skip


def add(account: Account, agent: str, stream: str) -> dict[str, Any]:
    wanted = {"agent": agent, "id": stream, "title": "A walk", "source": {"ref": "cam"}}
    return dict(account.json("POST", "/v1/streams", wanted))


def at(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def test_a_streams_life_from_enrolment_to_its_end(account: Account) -> None:
    """Each step in new processes, as Lambda may have it."""
    told = enrol(account, "van-1")
    assert told["broker"] == {"host": "iot.example", "port": 8883}
    assert told["models"]["metadata_url"] == "https://models.example/metadata/"
    assert told["models"]["root"]["signed"]["_type"] == "root"
    assert "BEGIN CERTIFICATE" in told["ca"]
    account.cold()
    added = add(account, "van-1", "walk")
    (wanted,) = account.desired("van-1")["streams"]
    assert wanted["sinks"] == [
        {"url": "rtmps://ingest.example.com:443/app", "key": added["publish_key"]}
    ]
    account.cold()
    account.says("van-1", Kind.STATUS, online())
    version = account.desired("van-1")["version"]
    account.says("van-1", Kind.REPORTED, Reported(at=1, agent_version=VERSION, applied=version))
    account.says("van-1", Kind.STREAM_STATE, state(), "walk")
    account.ivs_tells("Stream Start", "walk", at(-5))
    account.cold()
    shown = account.json("GET", "/v1/agents/van-1")
    assert (shown["online"], shown["converged"]) == (True, True)
    (live,) = account.json("GET", "/v1/directory", token="")["streams"]
    assert (live["id"], live["state"], live["thumbnail"]) == ("walk", "PROTECTED", None)
    assert live["playback"].endswith(".m3u8")
    assert live["playback"].startswith("https://playback.example.com/")
    account.says("van-1", Kind.STREAM_STATE, state("HELD", at=2, run="stopped"), "walk")
    account.ivs_tells("Stream End", "walk", at(0))
    account.cold()
    assert account.json("GET", "/v1/directory", token="")["streams"] == []
    assert account.ask("DELETE", "/v1/streams/walk")["statusCode"] == 204
    assert account.desired("van-1")["streams"] == []
    assert account.front.cloud.client("ivs").list_channels()["channels"] == []
    assert account.tick() == []
    actions = [one["action"] for one in account.json("GET", "/v1/audit")["entries"]]
    assert actions == [
        "token.create", "claim.create", "agent.enrol", "stream.add", "stream.remove"
    ]  # fmt: skip


def test_a_new_key_reaches_the_agent_and_the_old_one_is_void(account: Account) -> None:
    enrol(account, "van-1")
    old = add(account, "van-1", "walk")["publish_key"]
    new = account.json("POST", "/v1/streams/walk/key")["publish_key"]
    assert new != old
    assert [one["value"] for one in account.stream_keys.channels.values()] == [new]
    (wanted,) = account.desired("van-1")["streams"]
    assert wanted["sinks"][0]["key"] == new


def test_a_stream_that_cannot_be_made_leaves_no_channel(account: Account) -> None:
    wanted = {"agent": "nobody", "id": "walk", "source": {"ref": "cam"}}
    assert account.ask("POST", "/v1/streams", wanted)["statusCode"] == 404
    assert account.stream_keys.channels == {}


def test_one_function_waits_for_what_another_hears(account: Account) -> None:
    enrol(account, "van-1")
    asked = account.json("POST", "/v1/agents/van-1/commands/self-test", {})
    topic, _ = account.sent[-1]
    assert topic == f"veilcast/v1/{FLEET}/van-1/cmd/self-test"
    account.cold()
    done = Ack(command="self-test", at=1, outcome="done")
    account.says("van-1", Kind.ACK, done, asked["id"])
    account.cold()
    found = account.json("GET", f"/v1/agents/van-1/commands/{asked['id']}/ack?wait=5")
    assert found["ack"]["outcome"] == "done"


def test_a_lost_connection_counts_as_the_last_will_would(account: Account) -> None:
    enrol(account, "van-1")
    before = int(time.time() * 1000) - 60_000
    account.says("van-1", Kind.STATUS, online(7))
    account.lifecycle("van-1", "disconnected", before)  # of the connection before this one
    assert account.json("GET", "/v1/agents/van-1")["online"]
    account.lifecycle("van-1", "disconnected", int(time.time() * 1000) + 1)
    assert not account.json("GET", "/v1/agents/van-1")["online"]
    account.says("van-1", Kind.STATUS, online(7))  # comes late
    assert not account.json("GET", "/v1/agents/van-1")["online"]
    account.says("van-1", Kind.STATUS, online(8))
    assert account.json("GET", "/v1/agents/van-1")["online"]


def test_strangers_messages_and_nonsense_change_nothing(account: Account) -> None:
    account.says("ghost", Kind.STATUS, online())
    assert account.json("GET", "/v1/agents")["agents"] == []
    enrol(account, "van-1")
    account.says("van-1", Kind.STATUS, b"{")
    from cloud_control.lambdas import messages

    for event in (
        {"topic": "elsewhere/van-1", "payload": ""},
        {"topic": f"veilcast/v1/{FLEET}/van-1/status", "payload": "?"},
        {"topic": f"veilcast/v1/{FLEET}/van-1/desired", "payload": "e30="},
        {"topic": "veilcast/v1/zoo/van-1/status", "payload": "e30="},
        {"eventType": "disconnected", "clientId": "somebody", "timestamp": 1},
        {},
    ):
        messages.handler(event, None)
    assert not account.json("GET", "/v1/agents/van-1")["online"]


def test_unverified_frames_are_measured_for_the_alarm(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    enrol(account, "van-1")
    counts = (StreamCounts(id="a", unverified_frames_sent=2), StreamCounts(id="b"))
    said = Telemetry(at=1, connection=1, uptime=1.0, cpu=0.1, memory=1, streams=counts)
    account.says("van-1", Kind.TELEMETRY, said)
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "_aws" in one]
    measured = json.loads(line)
    assert (measured["fleet"], measured["UnverifiedFrames"]) == (FLEET, 2)
    metric = measured["_aws"]["CloudWatchMetrics"][0]
    assert (metric["Namespace"], metric["Dimensions"]) == ("Veilcast", [["fleet"]])


def test_a_lease_ends_even_if_no_process_lives_as_long(account: Account) -> None:
    enrol(account, "van-1")
    wanted = {"agent": "van-1", "id": "walk", "source": {"ref": "cam"}, "lease_seconds": 5}
    account.json("POST", "/v1/streams", wanted)
    account.cold()
    assert account.tick() == []
    assert account.ask("GET", "/v1/streams/walk")["statusCode"] == 200
    account.cold()
    later = time.time_ns() + 6 * 10**9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud_control.lambdas.plane.now_ms", lambda: later // 10**6)
        assert account.tick() == []
    account.cold()
    assert account.ask("GET", "/v1/streams/walk")["statusCode"] == 404


def test_events_are_polled(account: Account) -> None:
    for path, token in (("/v1/directory/events", ""), ("/v1/events", None)):
        answer = account.ask("GET", path, token=token)
        assert answer["headers"]["content-type"].startswith("text/event-stream")
        assert "retry: " in answer["body"]
        assert "event: missed" in answer["body"]


def test_a_cache_in_front_may_answer_for_the_directory_and_nothing_else(account: Account) -> None:
    told = account.ask("GET", "/v1/directory", token="")
    assert told["headers"]["cache-control"] == "public, max-age=2"
    events = account.ask("GET", "/v1/directory/events", token="")
    assert events["headers"]["cache-control"] == "no-store"
    assert "cache-control" not in account.ask("GET", "/v1/agents")["headers"]


def test_pages_may_play_what_ivs_serves(account: Account) -> None:
    answer = account.ask("GET", "/", token="")
    assert answer["statusCode"] == 200
    policy = answer["headers"]["content-security-policy"]
    assert "connect-src 'self' https://*.live-video.net;" in policy
    assert "media-src 'self' https://*.live-video.net blob:;" in policy


def test_uploads_go_to_the_bucket(account: Account) -> None:
    enrolled = Device("van-1")
    claim = account.json("POST", "/v1/claims", {"agent": "van-1"})["token"]
    body = {"token": claim, "csr": enrolled.request}
    answer = account.json("POST", "/v1/enrol", body, token="")
    assert x509.load_pem_x509_certificate(answer["certificate"].encode())
    wanted = {"stream": "walk", "name": "one.ts", "bytes": 3, "sha256": "ab" * 32}
    assert account.ask("POST", "/v1/device/uploads", wanted, token="x")["statusCode"] == 401


def test_a_minute_in_which_one_thing_fails_does_the_others(account: Account) -> None:
    enrol(account, "van-1")
    broken = lambda call: fault(403, "AccessDenied") if call.method == "HEAD" else None  # noqa: E731
    account.front.rules.insert(0, broken)
    assert account.tick() == ["models"]


def test_the_timestamp_is_renewed_by_the_key_in_secrets_manager(account: Account) -> None:
    from datetime import timedelta

    from cloud_control.lambdas import schedule

    version = account.parts.models().shelf.read().timestamp.signed.version
    assert account.tick() == []
    assert account.parts.models().shelf.read().timestamp.signed.version == version
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "REFRESH_EVERY", timedelta(0))
        assert account.tick() == []
    assert account.parts.models().shelf.read().timestamp.signed.version == version + 1


def certificate() -> str:
    """As IoT Core makes it of a device's request, of which moto takes another key."""
    with TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        authority.create()
        csr = make_request(ec.generate_private_key(ec.SECP256R1()))
        return authority.certify(csr, FLEET, "somebody")


class TestProvisioning:
    def test_who_has_a_claim_comes_in_once(self, account: Account) -> None:
        claim = account.json("POST", "/v1/claims", {"agent": "van-9"})["token"]
        asked = {"Claim": claim, "Agent": "van-9"}
        told = account.provision(parameters=asked, certificatePem=certificate())
        assert told == {"allowProvisioning": True, "parameterOverrides": {"Agent": "van-9"}}
        assert account.json("GET", "/v1/agents/van-9")["enrolled_at"]
        assert account.desired("van-9")["streams"] == []
        again = account.provision(parameters=asked, certificatePem=certificate())
        assert again == {"allowProvisioning": False}

    @pytest.mark.parametrize("asked", [{}, {"Claim": "vcc_wrong", "Agent": "van-9"}])
    def test_nobody_else_does(self, account: Account, asked: dict[str, str]) -> None:
        told = account.provision(parameters=asked, certificatePem=certificate())
        assert told == {"allowProvisioning": False}
        assert account.ask("GET", "/v1/agents/van-9")["statusCode"] == 404

    @pytest.mark.parametrize("made", ["", "rsa"])
    def test_a_certificate_that_could_sign_nothing_is_refused(
        self, account: Account, made: str
    ) -> None:
        claim = account.json("POST", "/v1/claims", {"agent": "van-9"})["token"]
        if made:
            csr = make_request(ec.generate_private_key(ec.SECP256R1()))
            client = account.front.cloud.client("iot")
            made = client.create_certificate_from_csr(certificateSigningRequest=csr)[
                "certificatePem"
            ]
        told = account.provision(parameters={"Claim": claim, "Agent": "van-9"}, certificatePem=made)
        assert told == {"allowProvisioning": False}
        assert not account.json("GET", "/v1/claims")["claims"][0]["used_by"]


def test_a_function_that_is_told_too_little_says_what_is_missing(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloud_control.errors import ServeError

    monkeypatch.delenv("VEILCAST_AWS_TABLE")
    account.cold()
    with pytest.raises(ServeError, match="VEILCAST_AWS_TABLE"):
        _ = account.parts


BLOCKED = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import cloud_control.lambdas.http, cloud_control.lambdas.messages, cloud_control.lambdas.schedule
import cloud_control.lambdas.provisioning, cloud_control.lambdas.ivs
"""
ABSENT = ("av", "cv2", "onnxruntime", "lap", "numpy", "paho", "amqtt", "psutil", "uvicorn", "httpx")


def test_functions_need_nothing_compiled_for_video() -> None:
    code = BLOCKED.format(names=set(ABSENT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_an_ingest_of_ones_own_asks_the_functions(front: Front, tmp_path: Path) -> None:
    """Each call of nginx's hooks comes to a new process."""
    settings = {
        "ingest": "self-hosted", "ingest_url": "rtmp://in.example:1935/live",
        "hls_url": "https://play.example/hls",
    }  # fmt: skip
    with opened(front, tmp_path, **settings) as account:
        enrol(account, "van-1")
        key = add(account, "van-1", "walk")["publish_key"]
        (wanted,) = account.desired("van-1")["streams"]
        assert wanted["sinks"] == [{"url": "rtmp://in.example:1935/live", "key": key}]
        secret = account.parts.secrets().read("ingest-hook")["secret"]

        def nginx(call: str, name: str, more: str = "", word: str = secret) -> dict[str, Any]:
            account.cold()
            form = f"app=live&addr=10.0.0.9&clientid=1&call={call}&name={name}{more}"
            return account.ask("POST", "/v1/ingest/nginx", token=word, raw=form)

        assert nginx("publish", key, word="guess")["statusCode"] == 403
        assert nginx("publish", "guess")["statusCode"] == 403
        let_in = nginx("publish", key)
        assert let_in["statusCode"] == 302
        assert let_in["headers"]["location"].startswith("rtmp://127.0.0.1:1935/live-out/walk?")
        for moment in (0, 5000):
            assert nginx("update_publish", key, f"&timestamp={moment}")["statusCode"] == 200
        account.says("van-1", Kind.STATUS, online())
        account.says("van-1", Kind.STREAM_STATE, state(), "walk")
        (live,) = account.json("GET", "/v1/directory", token="")["streams"]
        assert (live["id"], live["state"]) == ("walk", "PROTECTED")
        assert live["playback"] == "https://play.example/hls/walk/index.m3u8"
        account.json("POST", "/v1/streams/walk/key")
        assert nginx("update_publish", key, "&timestamp=9000")["statusCode"] == 403
        nginx("publish_done", key)
        account.cold()
        assert account.json("GET", "/v1/directory", token="")["streams"] == []
