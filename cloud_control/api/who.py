"""Who asks: an operator by token, a device by signature; and how often an address may guess."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Depends, Request

from cloud_control.domain.access import OperatorToken, Role
from cloud_control.domain.fleet import Agent
from cloud_control.errors import ForbiddenError, TooManyRequestsError, UnauthorizedError
from cloud_control.ports import Clock
from cloud_control.service.access import Access
from cloud_control.service.enrolment import Device, Enrolment

GUESSES = 10
WINDOW_MS = 60_000
ADDRESSES = 10_000

Found = TypeVar("Found")


class Guesses:
    """Counts failed attempts by address. Who knows a secret is never kept out by others' guesses:
    only failures are answered differently."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=GUESSES))
        self._lock = threading.Lock()

    def failed(self, address: str) -> None:
        """Note a failure. Raises TooManyRequestsError when there were many of late."""
        with self._lock:
            if len(self._failed) >= ADDRESSES:
                self._failed.clear()
            failed = self._failed[address]
            now_ms = self._clock()
            often = len(failed) == GUESSES and now_ms - failed[0] < WINDOW_MS
            failed.append(now_ms)
        if often:
            raise TooManyRequestsError("too many failed attempts from here; wait a minute")


class Who:
    """Dependencies for routes. Each refuses with UnauthorizedError, ForbiddenError or
    TooManyRequestsError."""

    def __init__(self, access: Access, enrolment: Enrolment, guesses: Guesses) -> None:
        self._access, self._enrolment, self._guesses = access, enrolment, guesses

    def at_least(self, role: Role) -> Any:
        """An operator of that role or a higher one, as its token."""

        def operator(request: Request) -> OperatorToken:
            secret = bearer(request)  # to send none is no guess
            token = self._counted(request, lambda: self._access.find(secret))
            if not token.role.covers(role):
                raise ForbiddenError(f"this takes the role {role}; the token's is {token.role}")
            return token

        return Depends(operator)

    def device(self, request: Request) -> Device:
        """An enrolled device, by the token it signed for this request."""
        return self._enrolment.device(bearer(request))

    def enrolling(self, request: Request, token: str, csr: str, wished: str | None) -> Agent:
        """Spend a claim; guessing is counted."""
        return self._counted(request, lambda: self._enrolment.enrol(token, csr, wished))

    def _counted(self, request: Request, find: Callable[[], Found]) -> Found:
        try:
            return find()
        except UnauthorizedError:
            self._guesses.failed(address_of(request))
            raise


def bearer(request: Request) -> str:
    """The token that came with a request. Raises UnauthorizedError."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise UnauthorizedError("send a token: Authorization: Bearer TOKEN")
    return token.strip()


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"
