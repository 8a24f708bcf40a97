"""One segment over HTTP: from where the server has it to its end, and the receipt."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import httpx

from edge_agent.spool.segment import Segment
from edge_agent.spool.store import Store
from edge_agent.upload.answers import (
    BROKEN,
    BUSY,
    Checksums,
    RefusedError,
    TransientError,
    check,
    confirmed,
    digest_header,
    transient,
)
from edge_agent.upload.desk import Ticket
from edge_agent.upload.throttle import Throttle

NO_RECEIPT = (
    "the server names no checksum of what it received, so nothing is deleted here: let it answer "
    "with Repr-Digest, x-amz-checksum-sha256 or an MD5 as ETag"
)


def transfer(
    client: httpx.Client, ticket: Ticket, store: Store, segment: Segment, throttle: Throttle
) -> int:
    """Upload and return how many bytes were sent; when it returns, the server has the segment.

    The segment was checked before. Raises TransientError or RefusedError.
    """
    sums = _checksums(store, segment)
    try:
        offset = _offset(client, ticket, sums) if ticket.resumable else 0
        if offset is None:
            return 0
        count = segment.size - offset
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(count),
            "Repr-Digest": digest_header(sums.sha256),
        }
        if ticket.resumable:
            last = max(offset, segment.size - 1)
            headers["Content-Range"] = f"bytes {offset}-{last}/{segment.size}"
        else:
            headers["Content-MD5"] = base64.b64encode(bytes.fromhex(sums.md5)).decode()
        headers |= ticket.fresh_headers()
        body = _body(store, segment, offset, throttle)
        response = client.put(ticket.url, headers=headers, content=body)
    except httpx.TransportError as error:
        raise transient(error) from None
    except httpx.InvalidURL:
        raise RefusedError("the address it is to be put to is none") from None
    check(response, BUSY | BROKEN)
    if not confirmed(response, sums):
        raise RefusedError(NO_RECEIPT)
    return count


def _offset(client: httpx.Client, ticket: Ticket, sums: Checksums) -> int | None:
    """How many bytes the server has; None when it has all and has named their checksum."""
    response = client.head(ticket.url, headers=ticket.fresh_headers())
    if response.status_code == 404:
        return 0
    check(response)
    if response.headers.get("Upload-Complete") == "?1" and confirmed(response, sums):
        return None
    try:
        return max(0, int(response.headers["Upload-Offset"]))
    except (KeyError, ValueError):
        raise TransientError("the server does not say how much it has") from None


def _body(store: Store, segment: Segment, offset: int, throttle: Throttle) -> Iterator[bytes]:
    skip = offset
    for piece in store.pieces(segment):
        fresh = memoryview(piece)[skip:]
        skip = max(0, skip - len(piece))
        for at in range(0, len(fresh), throttle.piece):
            part = bytes(fresh[at : at + throttle.piece])
            throttle.wait(len(part))
            yield part


def _checksums(store: Store, segment: Segment) -> Checksums:
    md5 = hashlib.md5(usedforsecurity=False)
    for piece in store.pieces(segment):
        md5.update(piece)
    return Checksums(segment.sha256, md5.hexdigest())
