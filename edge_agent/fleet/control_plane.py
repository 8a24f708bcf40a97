"""The control plane over HTTP: enrolment by a claim token, and what a device asks for later."""

from __future__ import annotations

import secrets
import ssl
import time
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import jwt
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from edge_agent.errors import FleetError
from edge_agent.fleet.details import Broker, Details
from fleet_contract.errors import printable
from fleet_contract.fields import Id

AUDIENCE = "veilcast-control"
TOKEN_LIFE_S = 60
TIMEOUT_S = 20.0
MAX_ANSWER = 1 << 20  # bytes

_Kind = TypeVar("_Kind", bound=BaseModel)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _Answer(BaseModel):
    """A newer control plane may say more: unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class EnrolledModels(_Answer):
    metadata_url: str
    targets_url: str
    root: dict[str, JsonValue]


class Enrolled(_Answer):
    """What a claim token is exchanged for. `certificate` and `ca` are PEM."""

    fleet: Id
    agent: Id
    certificate: str = Field(max_length=64_000)
    ca: str = Field(max_length=64_000)
    broker: Broker
    models: EnrolledModels


class _Certified(_Answer):
    certificate: str = Field(max_length=64_000)


def checked_url(url: str, *, insecure: bool) -> str:
    """The control plane's base address. Raises FleetError for anything but https, unless it is this
    very machine or the owner said that plain HTTP is allowed."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or parts.username or parts.query:
        raise FleetError("--control must look like https://HOST:PORT")
    if parts.scheme == "http" and host not in _LOOPBACK and not insecure:
        raise FleetError(
            "http:// would show the claim token to everyone on the way; use https://, or "
            "--insecure in a network that you trust"
        )
    return url.rstrip("/")


class ControlPlane:
    """Requests to one control plane. `ca`: a file of certificates to trust besides the system's."""

    def __init__(self, url: str, *, ca: Path | None, insecure: bool = False) -> None:
        self._url = checked_url(url, insecure=insecure)
        self._tls = ssl.create_default_context()
        if ca is not None:
            try:
                self._tls.load_verify_locations(ca)
            except (OSError, ssl.SSLError):
                raise FleetError(f"{ca} holds no certificate of an authority") from None

    def enrol(self, token: str, request: bytes, wished: str | None) -> Enrolled:
        """Exchange a claim token. Raises FleetError, which never quotes the token."""
        body = {"token": token, "csr": request.decode()}
        if wished:
            body["agent"] = wished
        answer = self._post("/v1/enrol", body, {}, expected=201)
        return _parsed(Enrolled, answer)

    def certify(self, details: Details, key: bytes, request: bytes) -> bytes:
        """A certificate (PEM) for a new key, asked for with the present `key` (PEM)."""
        headers = {"Authorization": f"Bearer {device_token(details, key)}"}
        body = {"csr": request.decode()}
        answer = self._post("/v1/device/certificate", body, headers, expected=None)
        return _parsed(_Certified, answer).certificate.encode()

    def _post(
        self, path: str, body: dict[str, str], headers: dict[str, str], *, expected: int | None
    ) -> bytes:
        try:
            with (
                httpx.Client(verify=self._tls, timeout=TIMEOUT_S) as client,
                client.stream("POST", self._url + path, json=body, headers=headers) as answer,
            ):
                content = _bounded(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            said = printable(str(problem), 120)
            raise FleetError(
                f"cannot reach {self._url}: {said or type(problem).__name__}"
            ) from None
        if not answer.is_success or expected not in {None, answer.status_code}:
            raise FleetError(f"{self._url} refused: {_why(answer.status_code, content)}")
        return content


def device_token(details: Details, key: bytes) -> str:
    """A token that proves the device's identity for a minute; `key` is its private key in PEM."""
    now = int(time.time())
    claims = {
        "sub": details.subject,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + TOKEN_LIFE_S,
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(claims, key, algorithm="ES256")


def _bounded(answer: httpx.Response) -> bytes:
    content = b""
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > MAX_ANSWER:
            raise FleetError("the control plane's answer is too large")
    return content


def _why(status: int, content: bytes) -> str:
    """The problem document's own words, made safe to print."""
    try:
        problem: Any = httpx.Response(status, content=content).json()
        said = problem.get("detail") or problem.get("title")
    except (ValueError, AttributeError):
        said = None
    return f"{status} {printable(said, 200)}" if isinstance(said, str) else str(status)


def _parsed(kind: type[_Kind], content: bytes) -> _Kind:
    try:
        return kind.model_validate_json(content)
    except ValidationError as problem:
        where = ".".join(str(part) for part in problem.errors(include_input=False)[0]["loc"])
        raise FleetError(
            f"the control plane's answer is not understood ({printable(where, 80)}); "
            "is it of the same version?"
        ) from None
