"""The one way out: every picture that leaves the device is made here, or it does not leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import structlog

from edge_agent.frame import Colour, Frame
from edge_agent.redact.cells import Planes
from edge_agent.redact.cover import Cover
from edge_agent.redact.mosaic import Mosaic
from edge_agent.redact.protected import _GATE_KEY, ProtectedFrame, State
from edge_agent.redact.veil import Veil, slate

log = structlog.get_logger()

PAUSED = "PAUSED"
VEILED = "veiled"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a fresh, successful decision stands behind a frame; if not, `reason` says why."""

    fresh: bool
    reason: str
    decision_age_ns: int


@dataclass(frozen=True, slots=True)
class LocalConsent:
    """Someone at this device agreed to show the picture bare until `expires_ns`, monotonic time.

    Made only where a person acts on the device itself; nothing that came over a network makes one.
    """

    expires_ns: int


class GateCounts:
    """Pictures that left, by state, and those that left unverified: always 0, or there is a bug."""

    def __init__(self) -> None:
        self.by_state = dict.fromkeys(State, 0)
        self.unverified_sent = 0


class Gate:
    """Turns frames into protected frames. `panic`, `release`, `veil` and `allow` may come from any
    thread.

    Whatever goes wrong while a frame is being covered, the frame leaves as a veil.
    """

    def __init__(
        self, mosaic: Mosaic, *, seed: int = 0, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.counts = GateCounts()
        self._mosaic = mosaic
        self._seed = seed
        self._veil = Veil(seed)
        self._clock_ns = clock_ns
        self._panic = threading.Event()
        self._veiled = threading.Event()
        self.panics = 0  # how often it was pressed: even one that is over at once has been
        self._consent: LocalConsent | None = None

    @property
    def panicking(self) -> bool:
        return self._panic.is_set()

    def panic(self) -> None:
        """From the very next picture on, show a slate and nothing else, until `release`."""
        self._panic.set()
        self.panics += 1

    def release(self) -> None:
        self._panic.clear()

    @property
    def veiled(self) -> bool:
        return self._veiled.is_set()

    def veil(self, on: bool) -> None:
        """From the very next picture on, show a veil in place of each; or no longer do. Stronger
        than consent, weaker than panic."""
        if on:
            self._veiled.set()
        else:
            self._veiled.clear()

    def allow(self, consent: LocalConsent | None) -> None:
        """Show the picture bare until the consent expires; None takes it back at once."""
        if (consent is None) is not (self._consent is None):
            log.warning("consent", given=consent is not None)
        self._consent = consent

    def use(self, mosaic: Mosaic) -> None:
        """Hide in another style, or with other zones, from the next picture on."""
        self._mosaic = mosaic

    def protect(self, frame: Frame, cover: Cover, verdict: Verdict) -> ProtectedFrame:
        """Cover the frame in place and let it pass, or put a veil or a slate in its stead.

        The frame belongs to the gate from here on; its planes may become those of the result.
        """
        shown = self._choose(frame, cover, verdict)
        bare = shown.y is frame.y and not verdict.fresh and shown.state is not State.OFF
        self.counts.unverified_sent += bare
        return shown

    def slate(
        self, width: int, height: int, *, pts: int, time_base: Fraction, index: int, word: str
    ) -> ProtectedFrame:
        """A picture for times when there is no frame at all, such as a lost source."""
        planes = slate(width, height, word)
        stand_in = Frame(*planes, pts, time_base, index, self._clock_ns(), Colour())
        cover = Cover.nothing(width, height)
        return self._issue(stand_in, planes, State.HELD, word.lower(), cover)

    def _choose(self, frame: Frame, cover: Cover, verdict: Verdict) -> ProtectedFrame:
        nothing = Cover.nothing(frame.width, frame.height)
        planes = (frame.y, frame.u, frame.v)
        if self.panicking:
            self._veil.forget()
            paused = slate(frame.width, frame.height, PAUSED)
            return self._issue(frame, paused, State.HELD, "panic", nothing)
        if self.veiled:
            return self._veil_over(frame, VEILED)
        try:
            if self._consented():
                self._mosaic.paint(planes, nothing, self._seed)  # privacy zones stay hidden
                return self._issue(frame, planes, State.OFF, "consent on this device", nothing)
            if verdict.fresh:
                self._mosaic.paint(planes, cover, self._seed)
                self._veil.remember(planes)
                return self._issue(frame, planes, State.PROTECTED, verdict.reason, cover)
            reason = verdict.reason
        except Exception as problem:  # noqa: BLE001 - whatever it is, the frame is not covered
            # No traceback: one that shows local values would print pixels.
            reason = f"covering failed: {type(problem).__name__}"
            log.error("cover_failed", index=frame.index, reason=reason)
        return self._veil_over(frame, reason)

    def _veil_over(self, frame: Frame, reason: str) -> ProtectedFrame:
        veil = self._veil.planes(frame.width, frame.height)
        nothing = Cover.nothing(frame.width, frame.height)
        return self._issue(frame, veil, State.DEGRADED, reason, nothing)

    def _consented(self) -> bool:
        consent = self._consent
        return consent is not None and self._clock_ns() < consent.expires_ns

    def _issue(
        self, frame: Frame, planes: Planes, state: State, reason: str, cover: Cover
    ) -> ProtectedFrame:
        self.counts.by_state[state] += 1
        return ProtectedFrame(
            *planes,
            frame.pts,
            frame.time_base,
            frame.index,
            frame.captured_ns,
            frame.colour,
            state,
            reason,
            cover,
            _GATE_KEY,
        )
