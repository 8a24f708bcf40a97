"""What any certifier must do: the machine's own, and IoT Core's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cloud_control.adapters.aws.certifier import IotCertifier
from cloud_control.adapters.certifier import LocalCertifier
from cloud_control.errors import CertificateError
from cloud_control.pki import Authority
from cloud_control.ports import Certifier
from tests.cloud_control.aws.front import fronted
from tests.cloud_control.aws.iot_core import Certificates
from tests.cloud_control.brokers import make_request

POLICY = "veilcast-certifiers"


@dataclass
class Desk:
    """good: whether a broker would take a certificate."""

    certifier: Certifier
    good: Callable[[str], bool]


@pytest.fixture(params=["local", "iot"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    authority = Authority(tmp_path / "ca")
    authority.create()
    if request.param == "local":
        local = LocalCertifier(authority, lambda: None, lambda _: None)
        yield Desk(local, lambda pem: not authority.is_revoked(pem))
        return
    cloud = request.getfixturevalue("cloud")
    iot = cloud.client("iot")
    with suppress(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_policy(policyName=POLICY, policyDocument=json.dumps({"Statement": []}))

    def good(pem: str) -> bool:
        listed = iot.list_certificates(pageSize=250)["certificates"]
        for one in listed:
            told = iot.describe_certificate(certificateId=one["certificateId"])
            if told["certificateDescription"]["certificatePem"] == pem:
                policies = iot.list_attached_policies(target=one["certificateArn"])["policies"]
                return one["status"] == "ACTIVE" and bool(policies)
        return False

    with fronted(cloud) as front:
        front.rules.append(Certificates(authority, iot, "acme", "desk-1"))
        yield Desk(IotCertifier(front.cloud.client("iot"), POLICY), good)


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_a_certificate_is_for_the_key_that_asked(desk: Desk) -> None:
    mine = key()
    pem = desk.certifier.certify(make_request(mine), "acme", "desk-1")
    found = x509.load_pem_x509_certificate(pem.encode())
    assert found.public_key() == mine.public_key()
    assert desk.good(pem)


def test_a_revoked_one_is_taken_no_more_and_the_others_are(desk: Desk) -> None:
    old, new = (desk.certifier.certify(make_request(key()), "acme", "desk-1") for _ in range(2))
    desk.certifier.revoke(old)
    desk.certifier.revoke(old)  # again after a crash, say
    assert (desk.good(old), desk.good(new)) == (False, True)


OTHER_CURVE = make_request(ec.generate_private_key(ec.SECP384R1()))
RSA: Any = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("csr", ["", "no request", OTHER_CURVE, make_request(RSA)])
def test_what_no_device_asks_is_refused(desk: Desk, csr: str) -> None:
    with pytest.raises(CertificateError):
        desk.certifier.certify(csr, "acme", "desk-1")


@pytest.mark.parametrize("names", [("acme", "Desk 1"), ("acme", "a/b"), ("", "a"), ("a", "b" * 64)])
def test_names_that_are_none_are_refused(desk: Desk, names: tuple[str, str]) -> None:
    with pytest.raises(CertificateError):
        desk.certifier.certify(make_request(key()), *names)


def test_what_is_no_certificate_cannot_be_revoked(desk: Desk) -> None:
    with pytest.raises(CertificateError):
        desk.certifier.revoke("no certificate")
