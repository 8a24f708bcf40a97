"""A control plane's HTTP API, as its commands use it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cloud_control.errors import ApiError
from fleet_contract.errors import printable

TIMEOUT_S = 30.0
SILENCE_S = 60.0  # the server says something more often, if only that it is there
LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class News:
    """One server-sent event; `id` is where a later listener may go on."""

    id: str
    kind: str
    data: dict[str, Any]


class Client:
    """Requests to one control plane with one operator's token. Everything raises ApiError, which
    never quotes the token.

    ca: certificates to trust besides the system's. A context manager.
    """

    def __init__(self, url: str, token: str, ca: Path | None = None) -> None:
        self._url = url.rstrip("/")
        tls = ssl.create_default_context()
        if ca is not None:
            try:
                tls.load_verify_locations(ca)
            except (OSError, ssl.SSLError):
                raise ApiError(f"{ca} holds no certificate of an authority") from None
        if not token.isascii() or not token.isprintable():
            raise ApiError("the token has characters that no token has; look at where it is from")
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"}, verify=tls, timeout=TIMEOUT_S
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON; None when it has no content."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            answer = self._http.request(
                method, self._url + path, json=body, params=given, headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise self._unreachable(problem) from None
        if not answer.is_success:
            raise ApiError(_why(answer))
        return _json(answer) if answer.content else None

    def get(self, path: str, **params: Any) -> Any:
        return self.ask("GET", path, params=params)

    def pages(self, path: str, items: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Everything in a list, page by page; `items` is its name in the answer."""
        after = None
        while True:
            page = self.get(path, **params, after=after)
            yield from page[items]
            after = page.get("next")
            if after is None:
                return

    def events(self, after: str | None = None) -> Iterator[News]:
        """What happens from now on, or after an event, until the connection ends."""
        headers = {"Last-Event-ID": after} if after else {}
        timeout = httpx.Timeout(TIMEOUT_S, read=SILENCE_S)
        try:
            with self._http.stream(
                "GET", f"{self._url}/v1/events", headers=headers, timeout=timeout
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raise ApiError(_why(answer))
                yield from read_events(answer.iter_lines())
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise self._unreachable(problem) from None

    def _unreachable(self, problem: Exception) -> ApiError:
        said = printable(str(problem), LONGEST_WORDS) or type(problem).__name__
        return ApiError(f"cannot reach {printable(self._url, LONGEST_WORDS)}: {said}")


def read_events(lines: Iterator[str]) -> Iterator[News]:
    """Server-sent events out of their lines; comments and events without data are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" in fields else value
            continue
        if "data" in fields:
            data = json.loads(fields["data"])
            yield News(fields.get("id", ""), fields.get("event", "message"), data)
        fields = {}


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise ApiError("the answer is not JSON; is this the address of a control plane?") from None


def _why(answer: httpx.Response) -> str:
    """The problem document's own words, made safe to print."""
    try:
        found = answer.json()
        said = found.get("detail") or found.get("title")
    except (ValueError, AttributeError):
        said = None
    words = printable(said, LONGEST_WORDS) if isinstance(said, str) else answer.reason_phrase
    return f"{answer.status_code}: {words}"
