"""Bytes from the model repository's server: bounded in time, never through a redirect."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tuf.api.exceptions import DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

from edge_agent.errors import FleetError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where models come from. root: the root of trust, a file of the device's home; ca: a file of
    certificates to trust besides the system's; insecure: the owner allowed plain HTTP."""

    metadata_url: str
    targets_url: str
    root: Path
    ca: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """gap: seconds that a server may be silent; slowest: bytes a second that it must send on
    average, looked at from `grace` seconds on."""

    gap: float = 20.0
    slowest: float = 2048.0
    grace: float = 30.0


class Transfer(FetcherInterface):
    """Fetches files. Raises FleetError for an address that is not https and not this machine."""

    def __init__(self, source: ModelSource, patience: Patience | None = None) -> None:
        for url in (source.metadata_url, source.targets_url):
            _check(url, insecure=source.insecure)
        self._patience = patience or Patience()
        tls = ssl.create_default_context()
        if source.ca is not None and source.ca.is_file():
            tls.load_verify_locations(source.ca)
        self._client = httpx.Client(
            verify=tls,
            timeout=self._patience.gap,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},  # what is counted is what is written
        )

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def open(self, url: str, start: int = 0) -> Iterator[httpx.Response]:
        """The answer to a request for a file from byte `start` on, its body not yet read.

        Raises httpx.HTTPError.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._client.stream("GET", url, headers=headers) as answer:
            yield answer

    def pieces(self, answer: httpx.Response) -> Iterator[bytes]:
        """The body, as it comes. Raises httpx.HTTPError, and SlowRetrievalError for a server that
        lets bytes drip."""
        began, count = time.monotonic(), 0
        for piece in answer.iter_raw():
            count += len(piece)
            lasted = time.monotonic() - began
            if lasted > self._patience.grace and count < lasted * self._patience.slowest:
                raise SlowRetrievalError("the server is too slow")
            yield piece

    def _fetch(self, url: str) -> Iterator[bytes]:
        """For TUF, which counts the bytes against the length that may come."""
        with self.open(url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise DownloadHTTPError(f"status {answer.status_code}", answer.status_code)
            yield from self.pieces(answer)


def _check(url: str, *, insecure: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (
        parts.scheme == "http" and (insecure or parts.hostname in _LOOPBACK)
    ):
        return
    raise FleetError(
        f"models must come over https://, not {parts.scheme}://; enroll the device anew"
    )
