"""Which keys sign what, and how long a signature lasts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from cloud_control.errors import ModelsError

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
ONLINE = (TARGETS, SNAPSHOT, TIMESTAMP)

_DAYS = "x-veilcast-days"  # the root says how long each role's signatures last

T = TypeVar("T", Root, Targets, Snapshot, Timestamp)


def new_root(days: Mapping[str, int]) -> Root:
    """A root without keys; `days` is the life of a signature by role."""
    return Root(unrecognized_fields={_DAYS: dict(days)})


def expiry(root: Root, role: str) -> datetime:
    """When a signature that is made now shall expire."""
    days = root.unrecognized_fields[_DAYS][role]
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def is_due(root: Root, part: Metadata[T]) -> bool:
    """Whether less than half of a signature's life is left, or the root does not accept it."""
    role = part.signed.type
    left = part.signed.expires - datetime.now(UTC)
    short = left < timedelta(days=root.unrecognized_fields[_DAYS][role]) / 2
    return short or not is_signed(root, part)


def is_signed(root: Root, part: Metadata[T]) -> bool:
    """Whether the keys that the root names stand behind this metadata."""
    try:
        root.verify_delegate(part.signed.type, part.signed_bytes, part.signatures)
    except UnsignedMetadataError:
        return False
    return True


def renewed(part: Metadata[T], root: Root) -> Metadata[T]:
    """A copy without signatures, one version on, with a new expiry."""
    signed = deepcopy(part.signed)
    signed.version += 1
    signed.expires = expiry(root, signed.type)
    return Metadata(signed)


def sign(part: Metadata[T], roots: Sequence[Root], signers: Iterable[CryptoSigner]) -> Metadata[T]:
    """Sign with every key at hand that one of the roots names for the role.

    Raises ModelsError unless all of the roots accept it.
    """
    role = part.signed.type
    named = {keyid for root in roots for keyid in root.roles[role].keyids}
    for signer in signers:
        if signer.public_key.keyid in named:
            part.sign(signer, append=True)
    if not all(is_signed(root, part) for root in roots):
        raise ModelsError(
            f"Too few keys of the role {role} are here to sign; restore them from a backup, or run "
            f"`veilcast models rotate-key {role}` with the root keys at hand."
        )
    return part
