"""Encryption of one segment at rest: AES-256-GCM in pieces, written as they come.

A file is MAGIC, the key's mark, a random salt, then pieces of 16 KiB, each with a tag of 16 bytes.
Nonces never repeat: every file has a key of its own, derived from the owner's key, a fresh salt of
32 bytes and the segment's name; within it the nonce is the piece's number and whether it is the
last. So no piece can be changed, left out, moved, or put into another segment unnoticed, and no
file can be cut short. (The construction is STREAM: Hoang, Reyhanitabar, Rogaway, Vizár 2015.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from edge_agent.errors import SpoolError
from edge_agent.spool.key import MARK, SpoolKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"veilcast seal 1\n"
SALT, TAG = 32, 16
PIECE = 1 << 14


class WrongKeyError(SpoolError):
    """The segment was sealed with another key: nothing is wrong with it."""


class Sealer:
    """Encrypts what it is given and hands it to `write`. Nothing is complete before `finish`."""

    def __init__(self, write: Callable[[bytes], None], key: SpoolKey, name: str) -> None:
        salt = os.urandom(SALT)
        self._header = MAGIC + key.mark + salt
        self._cipher = _cipher(key, salt, name)
        self._write = write
        self._number = 0
        self._held = bytearray()
        write(self._header)

    def push(self, data: bytes) -> None:
        """Take plain bytes; whole pieces are written once it is known that more follow."""
        self._held += data
        while len(self._held) > PIECE:
            self._piece(bytes(self._held[:PIECE]), last=False)
            del self._held[:PIECE]

    def finish(self) -> None:
        """Write the last piece."""
        self._piece(bytes(self._held), last=True)
        self._held.clear()

    def _piece(self, data: bytes, *, last: bool) -> None:
        nonce = _nonce(self._number, last=last)
        self._write(self._cipher.encrypt(nonce, data, self._header))
        self._number += 1


def unseal(file: BinaryIO, key: SpoolKey, name: str, *, torn: bool = False) -> Iterator[bytes]:
    """The plain bytes of a segment, each piece verified before it is handed out.

    torn: the writer was killed: what is whole is handed out, and a missing end is no error.
    Raises WrongKeyError, and SpoolError for anything that was changed.
    """
    header = file.read(len(MAGIC) + MARK + SALT)
    if torn and len(header) < len(MAGIC) + MARK + SALT:
        return
    if not header.startswith(MAGIC) or len(header) < len(MAGIC) + MARK + SALT:
        raise SpoolError(f"{name}: not a sealed segment")
    mark, salt = header[len(MAGIC) : -SALT], header[-SALT:]
    if mark != key.mark:
        raise WrongKeyError(f"{name}: sealed with another key: name that one")
    cipher = _cipher(key, salt, name)
    number, piece = 0, file.read(PIECE + TAG)
    while piece:
        following = file.read(PIECE + TAG)
        opened = _open(cipher, piece, number, header, last=not following)
        if opened is None and torn and not following:
            whole = _open(cipher, piece, number, header, last=False)
            if whole is not None:
                yield whole
            return
        if opened is None:
            raise SpoolError(f"{name}: damaged or tampered with")
        yield opened
        number, piece = number + 1, following
    if number == 0 and not torn:
        raise SpoolError(f"{name}: damaged or tampered with")


def _cipher(key: SpoolKey, salt: bytes, name: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key.derive(salt, name.encode()))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _open(cipher: AESGCM, piece: bytes, number: int, header: bytes, *, last: bool) -> bytes | None:
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(_nonce(number, last=last), piece, header)
    except InvalidTag:
        return None
