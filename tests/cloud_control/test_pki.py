"""The authority: whom it certifies, what it keeps secret, and whom it revokes."""

from __future__ import annotations

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_control.errors import CertificateError
from cloud_control.pki import Authority, device_name, name_of
from tests.cloud_control.brokers import make_request


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "ca")
    made.create()
    return made


def certified(authority: Authority, name: str = "acme/van-7") -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return authority.certify(make_request(key), *name.split("/"))


def load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_a_device_is_named_by_fleet_and_agent_whatever_its_request_says(
    authority: Authority,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = authority.certify(make_request(key, "control"), "acme", "van-7")
    assert name_of(pem) == "acme/van-7"
    found = load(pem)
    assert found.public_key() == key.public_key()
    uses = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    life = found.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=364) < life <= timedelta(days=365)


def test_the_chain_holds_and_no_other_authority_makes_one(authority: Authority) -> None:
    load(certified(authority)).verify_directly_issued_by(authority.certificate())
    other = Authority(authority.folder / "other")
    other.create()
    foreign = load(certified(other))
    with pytest.raises((InvalidSignature, ValueError)):
        foreign.verify_directly_issued_by(authority.certificate())


def test_the_servers_certificate_is_for_its_names_only(authority: Authority) -> None:
    path, key = authority.identify_server(["fleet.example", "192.0.2.7", "::1"])
    found = load(path.read_text())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["fleet.example"]
    addresses = [ip_address("192.0.2.7"), ip_address("::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    uses = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH]
    before = path.read_bytes(), key.read_bytes()
    authority.identify_server(["fleet.example"])
    assert (path.read_bytes(), key.read_bytes()) == before, "kept while it serves"
    authority.identify_server(["new.example"])
    assert path.read_bytes() != before[0]


def test_private_keys_are_their_owners_only(authority: Authority) -> None:
    authority.identify_server(["localhost"])
    authority.identify_control()
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700
    keys = list(authority.folder.glob("*.key"))
    assert {path.name for path in keys} == {"ca.key", "server.key", "control.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_an_authority_that_is_there_stays(authority: Authority) -> None:
    before = authority.certificate_file.read_bytes()
    authority.create()
    assert authority.certificate_file.read_bytes() == before


def test_revoked_certificates_are_listed_and_others_not(authority: Authority) -> None:
    first, second, third = (certified(authority) for _ in range(3))
    authority.revoke(first)
    authority.revoke(second)
    authority.revoke(first)
    assert authority.is_revoked(first)
    assert authority.is_revoked(second)
    assert not authority.is_revoked(third)
    shown = subprocess.run(
        ["openssl", "crl", "-in", authority.revoked_file, "-CAfile", authority.certificate_file],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "verify OK" in shown.stderr


def test_without_its_key_the_authority_still_names_the_revoked(authority: Authority) -> None:
    pem = certified(authority)
    authority.identify_server(["localhost"])
    authority.revoke(pem)
    (authority.folder / "ca.key").unlink()
    assert authority.is_revoked(pem)
    authority.identify_server(["localhost"])
    with pytest.raises(CertificateError, match="nothing can be certified or revoked"):
        certified(authority)
    with pytest.raises(CertificateError, match="nothing can be certified or revoked"):
        authority.revoke(pem)


def bad_requests() -> list[str]:
    key = ec.generate_private_key(ec.SECP256R1())
    good = make_request(key)
    der = x509.load_pem_x509_csr(good.encode()).public_bytes(serialization.Encoding.DER)
    forged = der[:-1] + bytes([der[-1] ^ 1])
    other_curve = make_request(ec.generate_private_key(ec.SECP384R1()))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    weak = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .sign(rsa.generate_private_key(65537, 2048), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    reread = x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM).decode()
    return ["", "no PEM", "é\ud800", good[: len(good) // 2], reread, other_curve, weak]


def test_requests_that_prove_no_key_of_the_right_kind_are_refused(authority: Authority) -> None:
    for request in bad_requests():
        with pytest.raises(CertificateError, match="request for a certificate"):
            authority.certify(request, "acme", "van-7")


@pytest.mark.parametrize(
    ("fleet", "agent"),
    [
        ("acme", "../van"),
        ("acme", "+"),
        ("acme", "#"),
        ("acme/other", "van-7"),
        ("Acme", "van-7"),
        ("", "van-7"),
        ("acme", ""),
        ("control", ""),
        ("acme", "van-7\n"),
        ("a" * 32, "b" * 32),
    ],
)
def test_names_that_could_reach_beyond_their_own_topics_are_refused(
    authority: Authority, fleet: str, agent: str
) -> None:
    with pytest.raises(CertificateError):
        certified_as(authority, fleet, agent)


def certified_as(authority: Authority, fleet: str, agent: str) -> str:
    return authority.certify(make_request(ec.generate_private_key(ec.SECP256R1())), fleet, agent)


def test_the_longest_names_fit(authority: Authority) -> None:
    assert name_of(certified_as(authority, "a" * 31, "b" * 32)) == device_name("a" * 31, "b" * 32)


def test_a_missing_authority_names_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="veilcast control init"):
        certified(Authority(tmp_path))
