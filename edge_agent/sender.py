"""What leaves: protected frames, the sound that belongs to them, and slates when there are none."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

from edge_agent.counts import Counts
from edge_agent.media.audio import AudioPacket
from edge_agent.options import Options
from edge_agent.outlet import Outlet
from edge_agent.redact.gate import Gate
from edge_agent.redact.protected import ProtectedFrame, State
from edge_agent.sound import SoundDelay
from edge_agent.timeline import CLOCK, Timeline

# A muxer holds each picture back until later sound has come: a little sound goes ahead of it.
SOUND_AHEAD_NS = 50_000_000
SLATE_AFTER_NS = 1_000_000_000
SLATE_EVERY_NS = 100_000_000
NO_SIGNAL = "NO SIGNAL"


class Sender:
    """Sends, counts and shows to the observers. Live output gets a clock of its own, which goes on
    through gaps of the source; a file keeps the source's time stamps."""

    def __init__(self, outlet: Outlet, gate: Gate, counts: Counts, options: Options) -> None:
        self._outlet = outlet
        self._gate = gate
        self._counts = counts
        self._options = options
        self._sound = SoundDelay()
        self._timeline = Timeline()
        self._picture_shift = Fraction(0)  # seconds from the source's stamps to those sent
        self._last: ProtectedFrame | None = None
        self._last_ns = 0  # monotonic time of the last picture, slates included
        self._last_frame_ns = 0  # and of the last one that the source gave

    def stamp(self, pts: int, time_base: Fraction) -> tuple[int, Fraction]:
        """The time stamp, and its base, with which the next picture of the source will leave."""
        if not self._options.live:
            return pts, time_base
        stamp = self._timeline.video(pts, time_base)
        self._picture_shift = stamp * CLOCK - pts * time_base
        return stamp, CLOCK

    def frame(self, protected: ProtectedFrame, *, rescued: bool, patient: bool) -> None:
        """Send a frame of the source. `patient`: wait for room, as when many leave at once."""
        self._count(protected, rescued=rescued)
        self._send(protected, rescued=rescued, patient=patient)
        self._last_frame_ns = self._last_ns

    def sound(self, packet: AudioPacket) -> None:
        """Keep sound until its picture leaves."""
        self._sound.push(packet)

    def sound_until(self, time_ns: int) -> None:
        """Send the sound of everything up to this stream time."""
        for packet in self._sound.until(time_ns + SOUND_AHEAD_NS):
            self._send_sound(packet)

    def rest_of_sound(self) -> None:
        """Send what is left at the end."""
        for packet in self._sound.rest():
            self._send_sound(packet)

    def discard(self) -> None:
        """Panic: whatever has not left yet never does."""
        self._sound.clear()
        self._outlet.discard()

    def slate_if_due(self) -> bool:
        """Keep the sinks connected while the source is silent; False when it has been too long."""
        last = self._last
        if not self._options.live or last is None:
            return True
        now_ns = time.monotonic_ns()
        slating = self._last_ns != self._last_frame_ns
        silent_ns = now_ns - self._last_ns
        if silent_ns < (SLATE_EVERY_NS if slating else SLATE_AFTER_NS):
            return True
        if now_ns - self._last_frame_ns > self._options.slate_seconds * 1e9:
            return False
        slate = self._gate.slate(
            last.width,
            last.height,
            pts=self._timeline.slate(silent_ns / 1e9),
            time_base=CLOCK,
            index=last.index,
            word=NO_SIGNAL,
        )
        self._counts.slates += 1
        self._send(slate, rescued=False, patient=False)
        return True

    def _send(self, protected: ProtectedFrame, *, rescued: bool, patient: bool) -> None:
        self._outlet.video(protected, patient=patient)
        self._counts.dropped_out = self._outlet.dropped
        for observe in self._options.observers:
            observe(protected, rescued)
        self._last, self._last_ns = protected, time.monotonic_ns()

    def _send_sound(self, packet: AudioPacket) -> None:
        shift = self._timeline.audio_shift(packet.time_base) if self._options.live else 0
        self._counts.av_offset_seconds = float(shift * packet.time_base - self._picture_shift)
        self._outlet.audio(replace(packet, pts=packet.pts + shift, dts=packet.dts + shift))

    def _count(self, protected: ProtectedFrame, *, rescued: bool) -> None:
        counts, cover = self._counts, protected.cover
        counts.rescued += rescued
        if protected.state is State.PROTECTED or protected.state is State.OFF:
            counts.protected += 1
            counts.tracks.update(zip(cover.track.tolist(), cover.label.tolist(), strict=True))
        else:
            counts.veiled += 1
            counts.veil_reasons[protected.reason] += 1
