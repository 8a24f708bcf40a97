"""Operators' tokens: made, looked up, withdrawn."""

from __future__ import annotations

import secrets

from cloud_control.domain.access import OperatorToken, Role, digest_of, new_secret
from cloud_control.errors import NotFoundError, RequestError, UnauthorizedError
from cloud_control.ports import Clock, Store
from cloud_control.service.audit import Audit
from cloud_control.service.records import Shelf


class Access:
    """Tokens by the digest of their secret: the secret itself is shown once and never kept."""

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store, self._audit, self._clock = store, audit, clock
        self._tokens = Shelf(store, "token", OperatorToken)

    def make(
        self, who: str, name: str, role: Role, seconds: int | None = None
    ) -> tuple[OperatorToken, str]:
        """A new token and its secret. seconds: how long it is good for; None: for ever."""
        secret = new_secret("vco")
        now_ms = self._clock()
        token = OperatorToken(
            id=secrets.token_hex(8),
            name=name,
            role=role,
            digest=digest_of(secret),
            created_at=now_ms,
            expires_at=None if seconds is None else now_ms + seconds * 1000,
        )
        self._store.commit(
            [
                self._tokens.put(token.digest, token),
                self._audit.entry(who, "token.create", token.id, None, token),
            ]
        )
        return token, secret

    def find(self, secret: str) -> OperatorToken:
        """Whose secret it is. Raises UnauthorizedError."""
        held = self._tokens.get(digest_of(secret))
        ends = held.value.expires_at if held else None
        if held is None or (ends is not None and ends <= self._clock()):
            raise UnauthorizedError("the token is wrong or expired")
        return held.value

    def all(self) -> list[OperatorToken]:
        return list(self._tokens.every())

    def withdraw(self, who: str, token_id: str) -> None:
        """Raises NotFoundError; RequestError for the last administrator's."""
        tokens = self.all()
        found = next((one for one in tokens if one.id == token_id), None)
        if found is None:
            raise NotFoundError(f"there is no token {token_id}")
        admins = [one for one in tokens if one.role is Role.ADMIN]
        if admins == [found]:
            raise RequestError("this is the last administrator's token; make another one first")
        held = self._tokens.need(found.digest)
        self._store.commit(
            [
                self._tokens.delete(held.key, held.revision),
                self._audit.entry(who, "token.withdraw", token_id, found, None),
            ]
        )
