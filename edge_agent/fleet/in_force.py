"""What is in force on this device: the document, and what of it the owner's rules let through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import get_args

import structlog

from edge_agent.fleet.clock import SteadyClock
from edge_agent.fleet.protection import (
    UNVEIL,
    Consent,
    Standing,
    Thresholds,
    stand,
    stricter_for_both,
)
from edge_agent.fleet.store import KnownStream, Store
from fleet_contract.codec import decode
from fleet_contract.desired import Desired, WantedStream
from fleet_contract.errors import ContractError, Reason
from fleet_contract.protection import Protection
from fleet_contract.reported import MAX_LISTED, Refusal, RefusalReason
from fleet_contract.strict_json import parse_object
from fleet_contract.topics import Address, Kind

MAX_KNOWN = 1024  # streams that a device remembers, so that ever new ids cannot fill its disk

_NONE: Mapping[str, KnownStream] = MappingProxyType({})
_FIELD = re.compile(r"[A-Za-z0-9_.?-]{1,128}")
_REASONS = frozenset(get_args(RefusalReason))

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wish:
    """A document that was read."""

    desired: Desired
    unknown_fields: tuple[str, ...]


class InForce:
    """For the agent's thread alone. Each change is in the store before it shows here.

    device: the owner's least protection; thresholds: the running model's; coming: those of a model
    that is about to take its place, None at other times (both may be set; then `refresh`).
    """

    def __init__(
        self, address: Address, store: Store, device: Protection, clock: SteadyClock
    ) -> None:
        self._address, self._store = address, store
        self._device, self._clock = device, clock
        self.thresholds: Thresholds = {}
        self.coming: Thresholds | None = None
        self.wish: Wish | None = None
        self.refused: Refusal | None = None
        self.known: Mapping[str, KnownStream] = _NONE
        self.standings: Mapping[str, Standing] = {}
        stored = store.desired()
        if stored:
            self.wish = read(address, stored[0])
        self.refresh()

    @property
    def version(self) -> int:
        """Of the document in force, 0 for none."""
        return self.wish.desired.version if self.wish else 0

    @property
    def wanted(self) -> tuple[WantedStream, ...]:
        return self.wish.desired.streams if self.wish else ()

    def take(self, payload: bytes) -> bool:
        """A desired document has come. True if it is in force now; `refused` may have changed."""
        if not payload:
            return False
        try:
            wish = read(self._address, payload)
            if wish.desired.version <= self.version:
                return self._no_news(wish.desired.version)
            bases = self._bases(wish.desired)
        except ContractError as problem:
            self.refused = _refusal(problem, payload)
            log.warning("desired_refused", reason=self.refused.reason, field=self.refused.field)
            return False
        switches = {stream.id: self._switch(stream) for stream in wish.desired.streams}
        self._store.apply(payload, wish.unknown_fields, bases, switches)
        self.wish, self.refused = wish, None
        log.info("desired_applied", version=self.version, streams=len(bases))
        self.refresh()
        return True

    def refresh(self) -> None:
        """Read the store, and work out anew what is in force for each stream."""
        self.known = self._store.streams()
        consents = self._store.consents(self._clock.now_ms())
        self.standings = {
            stream.id: self._stand(self.wish.desired, stream, consents)
            for stream in self.wanted
            if self.wish
        }

    def next_expiry(self) -> int | None:
        """When the next consent ends, ms."""
        ends = [c.expires_at for s in self.standings.values() for c in s.consents]
        return min(ends, default=None)

    def may_unveil(self, stream: str) -> bool:
        """Whether consent to end this stream's veil is in force."""
        consents = self._store.consents(self._clock.now_ms())
        return any((each.stream, each.path) == (stream, UNVEIL) for each in consents)

    def set_running(self, stream: str, on: bool) -> None:
        self._store.set_running(stream, on)
        self.refresh()

    def set_veiled(self, stream: str, on: bool) -> None:
        self._store.set_veiled(stream, on)
        self.refresh()

    def _no_news(self, version: int) -> bool:
        older = version < self.version
        self.refused = Refusal(version=version, reason="older_version") if older else None
        return False

    def _bases(self, desired: Desired) -> dict[str, Protection]:
        ids = {stream.id for stream in desired.streams}
        if len(self.known.keys() | ids) > MAX_KNOWN:
            raise _TooManyStreamsError
        return {stream.id: self._stand(desired, stream, ()).base for stream in desired.streams}

    def _stand(
        self, desired: Desired, stream: WantedStream, consents: tuple[Consent, ...]
    ) -> Standing:
        known = self.known.get(stream.id)
        given = [consent for consent in consents if consent.stream == stream.id]
        base, wanted = known.base if known else None, desired.protection_of(stream)
        standing = stand(self._device, base, wanted, self.thresholds, given)
        if self.coming is None:
            return standing
        then = stand(self._device, base, wanted, self.coming, given)
        now = stricter_for_both(standing.now, self.thresholds, then.now, self.coming)
        return replace(standing, now=now)

    def _switch(self, stream: WantedStream) -> bool:
        known = self.known.get(stream.id)
        return stream.autostart if known is None or known.running is None else known.running


class _TooManyStreamsError(ContractError):
    def __init__(self) -> None:
        super().__init__(Reason.INVALID, "streams: more ids than a device remembers")


def read(address: Address, payload: bytes) -> Wish:
    """Raises ContractError."""
    found = decode(address, payload)
    assert isinstance(found.message, Desired)
    return Wish(found.message, found.unknown_fields[:MAX_LISTED])


def desired_address(fleet: str, agent: str) -> Address:
    return Address(Kind.DESIRED, fleet, agent)


def _refusal(problem: ContractError, payload: bytes) -> Refusal:
    """Its version as far as it can be read."""
    reason = (
        "too_many_streams" if isinstance(problem, _TooManyStreamsError) else str(problem.reason)
    )
    try:
        version = parse_object(payload).get("version")
    except ContractError:
        version = 0
    field, colon, _ = problem.detail.partition(": ")
    named = problem.reason is Reason.INVALID and colon and _FIELD.fullmatch(field)
    return Refusal.model_validate(
        {
            "version": version if type(version) is int and version >= 0 else 0,
            "reason": reason if reason in _REASONS else "invalid",
            "field": field if named else None,
        }
    )
