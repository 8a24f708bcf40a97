"""The key that seals segments: read from a file that only its owner can read."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.errors import SpoolError

SIZE, MARK = 32, 8


@dataclass(frozen=True, slots=True)
class SpoolKey:
    """32 secret bytes. `mark` tells keys apart and gives nothing of them away."""

    secret: bytes = field(repr=False)
    mark: bytes

    def derive(self, salt: bytes, purpose: bytes) -> bytes:
        """A key of its own for one segment, 32 bytes."""
        return _derive(self.secret, SIZE, salt, b"veilcast spool segment " + purpose)


def load_key(path: Path) -> SpoolKey:
    """Read 64 hexadecimal digits, or 32 bytes as they are.

    Raises SpoolError when the file is missing, too open, or no key.
    """
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise SpoolError(f"cannot read the key {path}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SpoolError(f"others can read the key {path}: chmod 600 it")
    secret = data
    if len(data) != SIZE:
        try:
            secret = bytes.fromhex(data.decode("ascii").strip())
        except ValueError:
            secret = b""
    if len(secret) != SIZE:
        raise SpoolError(f"{path} holds no key: write 64 hexadecimal digits (openssl rand -hex 32)")
    return SpoolKey(secret, _derive(secret, MARK, None, b"veilcast spool mark"))


def _derive(secret: bytes, size: int, salt: bytes | None, purpose: bytes) -> bytes:
    # Imported when there is a key: the library takes its time, and most streams have none.
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), size, salt, purpose).derive(secret)
