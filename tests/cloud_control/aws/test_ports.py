"""The bus, the certifier, secrets and IVS, each against moto's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cloud_control.adapters.aws.bus import IotBus
from cloud_control.adapters.aws.certifier import IotCertifier
from cloud_control.adapters.aws.ivs import KIND, SETTLES_MS, IvsEntrance
from cloud_control.adapters.aws.secrets import Secrets
from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.errors import (
    BrokerError,
    CertificateError,
    CloudError,
    NotFoundError,
    RequestError,
    TakenError,
)
from fleet_contract.topics import Address, Kind
from tests.cloud_control.aws.front import Front, fault
from tests.cloud_control.aws.moto_server import Cloud
from tests.cloud_control.aws.stream_keys import StreamKeys
from tests.cloud_control.brokers import make_request

POLICY = "veilcast-device"
DESIRED = Address(Kind.DESIRED, "acme", "van-7")


def request(key: Any = None) -> str:
    return make_request(key or ec.generate_private_key(ec.SECP256R1()))


class TestBus:
    @pytest.mark.parametrize(
        ("address", "qos", "retain"),
        [(DESIRED, "1", "true"), (Address(Kind.COMMAND, "acme", "van-7", "stop"), "1", "false")],
    )
    def test_a_message_travels_as_its_channel_says(
        self, front: Front, address: Address, qos: str, retain: str
    ) -> None:
        IotBus(front.cloud.client("iot-data")).publish(address, b"{}")
        (call,) = front.calls
        assert call.path == f"/topics/{address}"
        assert (call.query["qos"], call.query["retain"], call.body) == (qos, retain, b"{}")

    def test_to_clear_is_to_retain_nothing(self, front: Front) -> None:
        IotBus(front.cloud.client("iot-data")).clear(DESIRED)
        (call,) = front.calls
        assert (call.query["retain"], call.body) == ("true", b"")

    def test_a_refusal_is_the_brokers(self, front: Front) -> None:
        front.rules.append(lambda _: fault(403, "ForbiddenException"))
        with pytest.raises(BrokerError, match="ForbiddenException"):
            IotBus(front.cloud.client("iot-data")).publish(DESIRED, b"{}")


@pytest.fixture
def iot(cloud: Cloud) -> Any:
    client = cloud.client("iot")
    with suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_policy(policyName=POLICY, policyDocument=json.dumps({"Statement": []}))
    return client


class TestCertifier:
    def test_a_certificate_is_one_agents(self, iot: Any) -> None:
        pem = IotCertifier(iot, POLICY).certify(request(), "acme", "box-1")
        thing = iot.describe_thing(thingName="acme:box-1")
        assert thing["attributes"] == {"fleet": "acme", "agent": "box-1"}
        (arn,) = iot.list_thing_principals(thingName="acme:box-1")["principals"]
        found = iot.describe_certificate(certificateId=arn.rpartition("/")[2])
        assert found["certificateDescription"]["certificatePem"] == pem
        assert found["certificateDescription"]["status"] == "ACTIVE"
        policies = iot.list_attached_policies(target=arn)["policies"]
        assert [one["policyName"] for one in policies] == [POLICY]

    def test_a_thing_that_is_there_is_taken_as_it_is(self, iot: Any, front: Front) -> None:
        """IoT Core says so if it differs, by its type say; moto's server would replace it."""
        iot.create_thing(thingName="acme:box-6")
        there = fault(409, "ResourceAlreadyExistsException")
        front.rules.append(
            lambda call: there if call.path.startswith("/things/") and call.body else None
        )
        IotCertifier(front.cloud.client("iot"), POLICY).certify(request(), "acme", "box-6")
        assert len(iot.list_thing_principals(thingName="acme:box-6")["principals"]) == 1

    def test_it_is_made_the_things_own_whatever_client_id_it_uses(
        self, iot: Any, front: Front
    ) -> None:
        IotCertifier(front.cloud.client("iot"), POLICY).certify(request(), "acme", "box-2")
        assert iot.describe_thing(thingName="acme:box-2")
        attached = [one for one in front.calls if one.path.endswith("/principals")]
        assert [one.query["thingPrincipalType"] for one in attached] == ["EXCLUSIVE_THING"]

    def test_a_revoked_one_is_good_for_nothing_and_another_stays(self, iot: Any) -> None:
        certifier = IotCertifier(iot, POLICY)
        old, new = (certifier.certify(request(), "acme", "box-3") for _ in range(2))
        certifier.revoke(old)
        certifier.revoke(old)
        (arn,) = iot.list_thing_principals(thingName="acme:box-3")["principals"]
        found = iot.describe_certificate(certificateId=arn.rpartition("/")[2])
        assert found["certificateDescription"]["certificatePem"] == new
        states = [
            iot.describe_certificate(certificateId=one["certificateId"])["certificateDescription"]
            for one in iot.list_certificates()["certificates"]
        ]
        assert {one["certificatePem"]: one["status"] for one in states}[old] == "REVOKED"

    @pytest.mark.parametrize(
        ("csr", "agent"),
        [
            ("no request", "box-4"),
            (make_request(rsa.generate_private_key(65537, 2048)), "box-4"),  # type: ignore[arg-type]
            (request(), "Van 4"),
        ],
        ids=["no request", "another kind of key", "no id"],
    )
    def test_what_no_device_should_ask_is_refused_before_aws_is_asked(
        self, front: Front, csr: str, agent: str
    ) -> None:
        with pytest.raises(CertificateError):
            IotCertifier(front.cloud.client("iot"), POLICY).certify(csr, "acme", agent)
        assert front.calls == []

    def test_without_its_policy_a_certificate_never_becomes_active(self, front: Front) -> None:
        """moto makes every certificate active, so this looks at what IoT Core was asked."""
        with pytest.raises(CloudError, match="AttachPolicy"):
            IotCertifier(front.cloud.client("iot"), "no-such-policy").certify(
                request(), "acme", "box-5"
            )
        made = next(one for one in front.calls if one.path == "/certificates")
        assert made.query["setAsActive"] == "false"
        assert not any(one.query.get("newStatus") for one in front.calls)


def test_a_secret_is_read_as_it_was_written_last(cloud: Cloud) -> None:
    secrets = Secrets(cloud.client("secretsmanager"), "veilcast/acme")
    assert secrets.read("hooks") == {}
    secrets.write("hooks", {"secret": "ä1"})
    secrets.write("hooks", {"secret": "2", "more": "3"})
    assert secrets.read("hooks") == {"secret": "2", "more": "3"}
    assert Secrets(cloud.client("secretsmanager"), "veilcast/zoo").read("hooks") == {}


class Stage:
    """IVS with its stream keys, a store and a clock that tests set."""

    def __init__(self, front: Front) -> None:
        self.keys, self.store, self.now_ms = StreamKeys(), MemoryStore(), 1_800_000_000_000
        front.rules.append(self.keys)
        self.client = front.cloud.client("ivs")
        self.entrance = IvsEntrance(self.client, self.store, "acme", lambda: self.now_ms)

    def channels(self) -> list[str]:
        return [one["name"] for one in self.client.list_channels()["channels"]]


@pytest.fixture
def stage(front: Front) -> Iterator[Stage]:
    made = Stage(front)
    yield made
    for one in made.client.list_channels()["channels"]:
        made.client.delete_channel(arn=one["arn"])


class TestIvs:
    def test_a_stream_has_a_channel_from_its_beginning_to_its_end(self, stage: Stage) -> None:
        sink = stage.entrance.open("cam-1")
        assert sink.url == "rtmps://ingest.example.com:443/app"
        (channel,) = stage.client.list_channels()["channels"]
        assert channel["name"] == "veilcast-acme-cam-1"
        assert channel["tags"] == {"veilcast:fleet": "acme", "veilcast:stream": "cam-1"}
        assert sink.key is not None
        assert sink.key.get_secret_value() == stage.keys.channels[channel["arn"]]["value"]
        assert stage.entrance.playback("cam-1").endswith(".m3u8")
        stage.entrance.close("cam-1")
        stage.entrance.close("cam-1")
        assert stage.channels() == []
        with pytest.raises(NotFoundError):
            stage.entrance.playback("cam-1")

    @pytest.mark.parametrize("kind", ["BASIC", "STANDARD"])
    def test_a_channel_is_of_the_kind_that_is_paid_for(self, stage: Stage, kind: Any) -> None:
        entrance = IvsEntrance(stage.client, stage.store, "acme", lambda: 1, kind=kind)
        entrance.open("cam-1")
        (arn,) = stage.keys.channels
        assert stage.client.get_channel(arn=arn)["channel"]["type"] == kind

    def test_a_new_key_makes_the_old_one_void_and_hangs_up(self, stage: Stage) -> None:
        old = stage.entrance.open("cam-1").key
        (arn,) = stage.keys.channels
        stage.keys.broadcasting.add(arn)
        new = stage.entrance.renew("cam-1")
        assert old is not None
        assert new != old.get_secret_value()
        assert stage.keys.channels[arn]["value"] == new
        assert stage.keys.stopped == [arn]

    def test_a_stream_is_opened_once(self, stage: Stage) -> None:
        stage.entrance.open("cam-1")
        with pytest.raises(TakenError):
            stage.entrance.open("cam-1")
        assert stage.channels() == ["veilcast-acme-cam-1"]

    def test_a_name_that_ivs_would_not_take_is_refused(self, stage: Stage) -> None:
        entrance = IvsEntrance(stage.client, stage.store, "f" * 60, lambda: 1)
        with pytest.raises(RequestError, match="too long"):
            entrance.open("s" * 64)
        assert stage.store.list(KIND) == []

    def test_a_refused_channel_leaves_nothing(self, stage: Stage, front: Front) -> None:
        full = fault(402, "ServiceQuotaExceededException")
        front.rules.insert(0, lambda call: full if call.path == "/CreateChannel" else None)
        with pytest.raises(CloudError, match="ServiceQuotaExceeded"):
            stage.entrance.open("cam-1")
        assert stage.store.list(KIND) == []

    def test_what_an_interruption_left_is_swept_away_in_time(self, stage: Stage) -> None:
        for stream in ("kept", "left", "young"):
            if stream == "young":
                stage.now_ms += SETTLES_MS + 1
            stage.entrance.open(stream)
        assert stage.entrance.sweep({"kept"}) == ["left"]
        assert sorted(stage.channels()) == ["veilcast-acme-kept", "veilcast-acme-young"]

    def test_a_channel_that_was_made_and_not_noted_is_found(
        self, stage: Stage, front: Front
    ) -> None:
        """The answer is lost, after all tries: IVS made as many channels as it was asked."""

        def lost(call: Any) -> Any:
            if call.path != "/CreateChannel":
                return None
            call.send()
            return fault(500, "InternalServerException")

        front.rules.insert(0, lost)
        with pytest.raises(CloudError):
            stage.entrance.open("cam-1")
        assert stage.channels() == []
