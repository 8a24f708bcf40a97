"""Private keys of the repository's roles, one file each, readable by their owner only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from cloud_control.errors import ModelsError
from cloud_control.pki import write_private


class KeyFolder:
    """Keys below one folder, in files named after role and key: `root-1f0c….pem`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, role: str) -> CryptoSigner:
        """A new Ed25519 key, stored."""
        signer = CryptoSigner.generate_ed25519()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        write_private(self._file(role, signer.public_key.keyid), signer.private_bytes)
        return signer

    def of_role(self, role: str) -> list[CryptoSigner]:
        """All that are here, in order of their names. Raises ModelsError for a spoilt file."""
        return [_load(path) for path in sorted(self.folder.glob(f"{role}-*.pem"))]

    def drop_others(self, role: str, used: Iterable[str]) -> None:
        """Remove the role's keys that are no longer in use."""
        kept = {self._file(role, keyid) for keyid in used}
        for path in self.folder.glob(f"{role}-*.pem"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def _file(self, role: str, keyid: str) -> Path:
        return self.folder / f"{role}-{keyid[:16]}.pem"


def _load(path: Path) -> CryptoSigner:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        raise ModelsError(f"{path} is no readable key; restore it from its backup.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ModelsError(f"{path} is no Ed25519 key; restore it from its backup.")
    return CryptoSigner(key)
