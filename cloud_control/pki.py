"""The certificate authority of one control plane: who may speak on its broker, and who no longer.

A device's name, `{fleet}/{agent}`, is its certificate's common name. Brokers take a client's name,
and so what it may read and write, from there alone.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_control.errors import CertificateError
from fleet_contract.fields import ID_PATTERN

CONTROL = "control"  # the control plane's own name on its broker: no agent's, they hold a slash
MAX_NAME = 64  # characters of a common name, by X.509

AUTHORITY_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)
DEVICE_LIFE = timedelta(days=365)
STAND_IN_LIFE = timedelta(minutes=5)
LIST_LIFE = timedelta(days=3650)  # an old list must not shut every device out
CLOCK_SLACK = timedelta(days=1)  # a device's clock may be behind

_ID = re.compile(ID_PATTERN.removeprefix("^").removesuffix("$"))


class Authority:
    """Keys and certificates below `folder`; private keys are readable by their owner only.

    `ca.key` may be taken away once all is set up: then nothing can be certified or revoked,
    and everything else goes on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate_file = folder / "ca.crt"
        self.revoked_file = folder / "revoked.crl"
        self._key_file = folder / "ca.key"

    def create(self) -> None:
        """Make the authority; one that is there already stays as it is."""
        if self.certificate_file.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Veilcast authority")
        now = _now()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SLACK)
            .not_valid_after(now + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_file, _private_pem(key))
        self._publish_list(key, certificate, [])
        self.certificate_file.write_bytes(_pem(certificate))

    def certify(self, csr_pem: str, fleet: str, agent: str) -> str:
        """A device's certificate, PEM, for the key in its request; the request's name is ignored.

        Raises CertificateError for a request that is damaged or not signed by an EC P-256 key,
        and for names that are no ids or together too long.
        """
        name, key = device_name(fleet, agent), requested_key(csr_pem)
        return self._issue(name, key, DEVICE_LIFE, ExtendedKeyUsageOID.CLIENT_AUTH, []).decode()

    def revoke(self, pem: str) -> None:
        """Put a certificate on the list of revoked ones; brokers must be told to read it again."""
        try:
            gone = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            raise CertificateError("The certificate to revoke cannot be read.") from None
        key, certificate = self._key(), self.certificate()
        known = list(self._revoked())
        if all(entry.serial_number != gone.serial_number for entry in known):
            entry = (
                x509.RevokedCertificateBuilder()
                .serial_number(gone.serial_number)
                .revocation_date(_now())
                .build()
            )
            self._publish_list(key, certificate, [*known, entry])

    def is_revoked(self, pem: str) -> bool:
        serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
        return any(entry.serial_number == serial for entry in self._revoked())

    def certificate(self) -> x509.Certificate:
        """The authority's own; raises CertificateError when there is none."""
        try:
            return x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        except (OSError, ValueError):
            raise CertificateError(
                f"{self.certificate_file} is missing or damaged; "
                "run `veilcast control init` or restore it from a backup."
            ) from None

    def identify_server(self, hosts: Sequence[str]) -> tuple[Path, Path]:
        """Certificate and key files of this machine's servers, made anew if need be.

        `hosts` are the names and addresses that devices reach it by. A certificate that names
        them all and is not about to end is kept.
        """
        names = [_general_name(host) for host in hosts]
        return self._own("server", ExtendedKeyUsageOID.SERVER_AUTH, SERVER_LIFE, names)

    def stand_in(self, name: str) -> tuple[bytes, bytes]:
        """A certificate of some minutes for a client's name, and its key, both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        use = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._issue(name, key.public_key(), STAND_IN_LIFE, use, []), _private_pem(key)

    def identify_control(self) -> tuple[Path, Path]:
        """Certificate and key files by which the control plane is known to its broker."""
        return self._own(CONTROL, ExtendedKeyUsageOID.CLIENT_AUTH, SERVER_LIFE, [])

    def _own(
        self,
        name: str,
        use: x509.ObjectIdentifier,
        life: timedelta,
        alternatives: list[x509.GeneralName],
    ) -> tuple[Path, Path]:
        certificate, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        if not (key_file.exists() and _still_good(certificate, alternatives)):
            key = ec.generate_private_key(ec.SECP256R1())
            pem = self._issue(name, key.public_key(), life, use, alternatives)
            write_private(key_file, _private_pem(key))
            certificate.write_bytes(pem)
        return certificate, key_file

    def _issue(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        life: timedelta,
        use: x509.ObjectIdentifier,
        alternatives: list[x509.GeneralName],
    ) -> bytes:
        issuer, issuer_key, now = self.certificate(), self._key(), _now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SLACK)
            .not_valid_after(min(now + life, issuer.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
            )
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
        return _pem(builder.sign(issuer_key, hashes.SHA256()))

    def _key(self) -> ec.EllipticCurvePrivateKey:
        try:
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        except (OSError, ValueError):
            raise CertificateError(
                f"{self._key_file} is missing or damaged: nothing can be certified or revoked "
                "until it is restored."
            ) from None
        assert isinstance(key, ec.EllipticCurvePrivateKey), "create() makes no other"
        return key

    def _revoked(self) -> x509.CertificateRevocationList:
        try:
            return x509.load_pem_x509_crl(self.revoked_file.read_bytes())
        except (OSError, ValueError):
            raise CertificateError(
                f"{self.revoked_file} is missing or damaged; restore it from a backup."
            ) from None

    def _publish_list(
        self,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        revoked: list[x509.RevokedCertificate],
    ) -> None:
        now = _now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(certificate.subject)
            .last_update(now)
            .next_update(now + LIST_LIFE)
            .add_extension(x509.CRLNumber(len(revoked) + 1), critical=False)
        )
        for entry in revoked:
            builder = builder.add_revoked_certificate(entry)
        pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        fresh = self.revoked_file.with_suffix(".new")
        fresh.write_bytes(pem)
        fresh.replace(self.revoked_file)  # a broker never reads half a list


def requested_key(csr_pem: str) -> ec.EllipticCurvePublicKey:
    """The key that a request is for. Raises CertificateError for a request that is damaged or not
    signed by an EC P-256 key."""
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        key = request.public_key()
        sound = request.is_signature_valid
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        raise CertificateError("The request for a certificate cannot be read.") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != ec.SECP256R1.name:
        raise CertificateError("The request for a certificate needs an EC P-256 key.")
    if not sound:
        raise CertificateError("The request for a certificate is not signed by its own key.")
    return key


def certified_key(pem: str) -> ec.EllipticCurvePublicKey:
    """The key of a device's certificate. Raises CertificateError unless it is an EC P-256 one."""
    try:
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("The certificate cannot be read.") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != ec.SECP256R1.name:
        raise CertificateError("A device's certificate needs an EC P-256 key.")
    return key


def device_name(fleet: str, agent: str) -> str:
    """The common name of an agent; raises CertificateError for what cannot be one."""
    name = f"{fleet}/{agent}"
    if not (_ID.fullmatch(fleet) and _ID.fullmatch(agent)):
        raise CertificateError("Fleet and agent are named by a-z, 0-9, _ and -, 64 at most.")
    if len(name) > MAX_NAME:
        raise CertificateError(
            f"Fleet and agent have {len(name) - 1} characters together; {MAX_NAME - 1} is the most."
        )
    return name


def name_of(pem: str) -> str:
    """The common name in a certificate."""
    subject = x509.load_pem_x509_certificate(pem.encode()).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    fresh.replace(path)


def _still_good(path: Path, alternatives: list[x509.GeneralName]) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    try:
        named = list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        named = []
    lasts = found.not_valid_after_utc - _now() > timedelta(days=30)
    return lasts and set(alternatives) <= set(named)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(
    digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _now() -> datetime:
    return datetime.now(UTC)
