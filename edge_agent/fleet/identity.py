"""The device's key and certificate. Keys are made here and never leave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge_agent.errors import FleetError
from edge_agent.fleet.home import Home, sync_folder, write_private


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Files of a key and of its certificate."""

    key: Path
    certificate: Path


class Identity:
    """The key pair in use, and perhaps its successor.

    A successor is kept beside it until a connection with it has stood: only `promote` replaces the
    old one, and a crash in the middle of that is finished here.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self.current = KeyPair(home.key, home.certificate)
        self._next = KeyPair(home.next_key, home.next_certificate)
        self._finish_promotion()

    @property
    def successor(self) -> KeyPair | None:
        """A new pair that is certified but has not connected yet."""
        return self._next if self._next.certificate.is_file() else None

    def prepare(self, name: str) -> bytes:
        """Make the successor's key; its certificate request (PEM) for `name`."""
        self.discard()
        return make_key(self._next.key, name)

    def keep(self, certificate: bytes) -> None:
        """Store the successor's certificate (PEM). Raises FleetError if it is for another key."""
        if _key_in(certificate) != _public(_load(self._next.key)):
            raise FleetError("the certificate received is not for this device's key")
        write_private(self._next.certificate, certificate)

    def promote(self) -> None:
        """The successor takes the place of the pair in use."""
        self._next.certificate.replace(self.current.certificate)
        self._next.key.replace(self.current.key)
        sync_folder(self._home.folder)

    def discard(self) -> None:
        """Forget the successor."""
        self._next.certificate.unlink(missing_ok=True)
        self._next.key.unlink(missing_ok=True)

    def _finish_promotion(self) -> None:
        """After a crash between the two renames the new certificate stands beside the old key."""
        if not (self._next.key.is_file() and self.current.certificate.is_file()):
            return
        certified = _key_in(self.current.certificate.read_bytes())
        if certified == _public(_load(self._next.key)):
            self._next.key.replace(self.current.key)
            sync_folder(self._home.folder)
        elif not self._next.certificate.is_file():
            self.discard()


def make_key(path: Path, name: str) -> bytes:
    """Write a new private key (0600); the certificate request (PEM) for it and `name`.

    Without a name the certifier gives one.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(
        path,
        key.private_bytes(
            Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    return request_for(key, name)


def request_for(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """A certificate request (PEM) signed with the key."""
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def private_key(path: Path) -> bytes:
    """The key as PEM, to sign with. Raises FleetError when it is missing or spoilt."""
    _load(path)
    return path.read_bytes()


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        # No cause: nothing of a key's content may reach a log.
        raise FleetError(f"{path} is missing or no key; enroll the device anew") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise FleetError(f"{path} is of a kind that is not used; enroll the device anew")
    return key


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_in(certificate: bytes) -> bytes:
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        raise FleetError("the certificate cannot be read; enroll the device anew") from None
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
