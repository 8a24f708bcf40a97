"""Where a segment may be put: a folder of a plain server, or what the control plane says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urljoin, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from edge_agent.errors import UploadError
from edge_agent.spool.segment import Segment
from edge_agent.upload.answers import RefusedError, check, transient

UPLOADS = "v1/device/uploads"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to PUT one segment. url and headers may hold secrets: they are never logged.

    resumable: the server tells by HEAD how much it has, and takes the rest with Content-Range.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    resumable: bool = False
    authorize: Callable[[], str] | None = field(default=None, repr=False)

    def fresh_headers(self) -> dict[str, str]:
        """For one request: a device's token is good for a single one."""
        own = {"Authorization": self.authorize()} if self.authorize else {}
        return {**self.headers, **own}


class Desk(Protocol):
    """Gives out tickets. Raises UploadError: TransientError when another try may help."""

    def ticket(self, client: httpx.Client, stream: str, segment: Segment) -> Ticket: ...


class PlainDesk:
    """Any server that takes PUT and confirms checksums: {base}/{stream}/{name}.

    token: sent as a bearer token, if there is one. Raises UploadError for what is no web address.
    """

    def __init__(self, base: str, token: str | None = None) -> None:
        self._base = web_address(base)
        plain = urlsplit(self._base)
        if token and plain.scheme == "http" and plain.hostname not in LOOPBACK:
            raise UploadError("http:// would show the token to everyone on the way: use https://")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ticket(self, client: httpx.Client, stream: str, segment: Segment) -> Ticket:  # noqa: ARG002
        return Ticket(f"{self._base}/{quote(stream)}/{quote(segment.name)}", self._headers)


class Answer(BaseModel):
    """The control plane's answer; fields that this version does not know are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    url: str
    headers: dict[str, str] = {}
    resumable: bool = False


class ControlDesk:
    """Asks the control plane for each segment: its own door, or one of an object store.

    authorize: makes the device's Authorization header; it goes to the control plane alone.
    """

    def __init__(self, base: str, authorize: Callable[[], str]) -> None:
        self._base = web_address(base)
        self._authorize = authorize

    def ticket(self, client: httpx.Client, stream: str, segment: Segment) -> Ticket:
        try:
            response = client.post(
                f"{self._base}/{UPLOADS}",
                headers={"Authorization": self._authorize()},
                json={
                    "stream": stream,
                    "name": segment.name.replace("/", "--"),
                    "bytes": segment.size,
                    "sha256": segment.sha256,
                    "first_ms": segment.first_ms,
                    "last_ms": segment.last_ms,
                    "started_at": segment.started_at,
                },
            )
        except httpx.TransportError as error:
            raise transient(error) from None
        check(response)
        try:
            answer = Answer.model_validate_json(response.content)
        except ValidationError:
            raise RefusedError("the control plane's answer cannot be read: update it") from None
        url = urljoin(f"{self._base}/", answer.url)
        at_home = _origin(url) == _origin(self._base)
        return Ticket(url, answer.headers, answer.resumable, self._authorize if at_home else None)


def web_address(base: str) -> str:
    """`base` without a slash at its end. Raises UploadError."""
    try:
        parts = urlsplit(base)
    except ValueError:
        raise UploadError("that is no web address: use https://HOST/FOLDER") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UploadError("that is no web address: use https://HOST/FOLDER")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise UploadError("an upload goes below a folder: leave user, ? and # out of its address")
    return base.rstrip("/")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
