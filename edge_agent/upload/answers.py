"""What a server's answers mean: done, try again, or never."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

import httpx

from edge_agent.errors import UploadError

BUSY = frozenset({408, 423, 425, 429})
BROKEN = frozenset({409, 422})
"""To a PUT: another connection still writes there, or what arrived was not what was announced."""
MD5_TAG = re.compile(r'"?([0-9a-f]{32})"?')
WORDS = {
    401: "it does not know who this is",
    403: "it does not allow it",
    404: "it has no such place",
    409: "it is at odds with what is there",
    413: "it is too large for it",
    422: "the folder's or the file's name cannot be used there",
}


class TransientError(UploadError):
    """It may work later."""


class RefusedError(UploadError):
    """The server will not have it as it is."""


@dataclass(frozen=True, slots=True)
class Checksums:
    """Of the whole segment, in hexadecimal digits."""

    sha256: str
    md5: str


def transient(error: httpx.TransportError) -> TransientError:
    """A broken connection in words that hold no address."""
    if isinstance(error, httpx.TimeoutException):
        return TransientError("no answer in time")
    if isinstance(error, httpx.ConnectError):
        return TransientError("nothing answers there; check address and port")
    if isinstance(error, httpx.UnsupportedProtocol):
        return TransientError("that address is not one of the web")
    return TransientError("the connection broke")


def check(response: httpx.Response, again: frozenset[int] = BUSY) -> None:
    """Raises RefusedError unless the answer is a good one; TransientError for a status of `again`
    and for the server's own faults."""
    status = response.status_code
    if response.is_success:
        return
    words = f"the server answered {status}"
    if status in again or status >= 500:
        raise TransientError(words)
    raise RefusedError(f"{words}: {WORDS[status]}" if status in WORDS else words)


def confirmed(response: httpx.Response, sums: Checksums) -> bool:
    """Whether the answer names the checksum of what the server now has.

    Any of Repr-Digest (RFC 9530), x-amz-checksum-sha256, an ETag that is an MD5, or JSON with
    `sha256`. Raises TransientError for a wrong one: the bytes were changed on their way.
    """
    said = _said(response)
    if not said:
        return False
    right = {"sha256": sums.sha256, "md5": sums.md5}
    if any(right[kind] != value for kind, value in said.items()):
        raise TransientError("the server received something else: the checksum differs")
    return True


def digest_header(sha256: str) -> str:
    """The value of Repr-Digest."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def _said(response: httpx.Response) -> dict[str, str]:
    headers = response.headers
    digest = re.search(r"sha-256=:([A-Za-z0-9+/=]+):", headers.get("Repr-Digest", ""))
    encoded = digest.group(1) if digest else headers.get("x-amz-checksum-sha256", "")
    if encoded:
        try:
            return {"sha256": base64.b64decode(encoded, validate=True).hex()}
        except ValueError:
            return {}
    try:
        body = json.loads(response.content) if response.content else None
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("sha256"), str):
        return {"sha256": body["sha256"]}
    tag = MD5_TAG.fullmatch(headers.get("ETag", ""))
    return {"md5": tag.group(1)} if tag else {}
