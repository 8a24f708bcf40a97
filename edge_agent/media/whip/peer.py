"""One publisher's WebRTC connection: an offer in, an answer out, then decoded frames."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any

from aiortc import RTCCertificate, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtcpSrPacket
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from edge_agent.media.whip.clock import Kind, SharedClock

QUEUE_LENGTH = 128
FIRST_PICTURE_S = 15.0
SILENCE_S = 5.0
NO_ADDRESS = "this machine has no network address that a browser could reach"


class OfferError(ValueError):
    """The offer is none, or none of a camera."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A decoded picture or a stretch of sound, and its time on the publisher's one clock."""

    frame: VideoFrame | AudioFrame
    time_ns: int


class Peer:
    """`answer` and `hang_up` belong to the event loop; the pieces are read in another thread.

    with_sound: whether the publisher announced sound.
    """

    def __init__(self, certificate: RTCCertificate, gone: Callable[[], None]) -> None:
        """`gone` is called once, in the event loop, when the connection has ended."""
        # No STUN or TURN server: nobody but the publisher is ever spoken to.
        self._link = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        # aiortc makes a certificate for each connection and has no public way to name another one;
        # the door checks that the answer shows this one.
        self._link._RTCPeerConnection__certificates = [certificate]  # type: ignore[attr-defined]
        self._loop = asyncio.get_running_loop()
        self._clock = SharedClock()
        self._queue: Queue[Piece | None] = Queue(QUEUE_LENGTH)
        self._tracks: list[MediaStreamTrack] = []
        self._pumps: list[asyncio.Task[None]] = []
        self._gone = gone
        self._over = self._ended = False
        self.with_sound = False
        self._link.on("track", self._tracks.append)
        self._link.on("connectionstatechange", self._changed)

    async def answer(self, offer: str) -> str:
        """The answer (SDP). Raises OfferError."""
        if "a=fingerprint:" not in offer:
            raise OfferError("the offer is none of WebRTC")
        try:
            await self._link.setRemoteDescription(
                RTCSessionDescription(_without_names(offer), "offer")
            )
            kinds = [track.kind for track in self._tracks]
            if kinds.count("video") != 1 or kinds.count("audio") > 1 or self._link.sctp:
                raise OfferError("the offer must send one video and at most one audio track")
            self.with_sound = "audio" in kinds
            await self._link.setLocalDescription(await self._link.createAnswer())
        except OfferError:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever a stranger's text does to the parser
            raise OfferError(f"the offer cannot be read ({type(problem).__name__})") from None
        answer: str = self._link.localDescription.sdp
        if "a=candidate:" not in answer:
            raise OfferError(NO_ADDRESS)
        for receiver in self._link.getReceivers():
            _hear_reports(receiver, self._clock)
        self._pumps = [asyncio.ensure_future(self._pump(track)) for track in self._tracks]
        return answer

    async def hang_up(self) -> None:
        """End the connection, and the pieces. More than once."""
        if self._ended:
            return
        self._ended = True
        self._end()
        for pump in self._pumps:
            pump.cancel()
        await self._link.close()
        self._gone()

    def close(self) -> None:
        """Hang up, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is over, and so is the connection
            self._loop.call_soon_threadsafe(self._leave)

    def __iter__(self) -> Iterator[Piece]:
        """Pieces until the publisher leaves, or shows nothing for a while."""
        silent_at = time.monotonic() + FIRST_PICTURE_S
        while not self._over and (left := silent_at - time.monotonic()) > 0:
            try:
                piece = self._queue.get(timeout=left)
            except Empty:
                break
            if piece is None:
                break
            if isinstance(piece.frame, VideoFrame):
                silent_at = time.monotonic() + SILENCE_S
            yield piece
        self.close()

    def _leave(self) -> None:
        self._leaving = asyncio.ensure_future(self.hang_up())

    async def _pump(self, track: MediaStreamTrack) -> None:
        kind: Kind = "video" if track.kind == "video" else "audio"
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, VideoFrame | AudioFrame) and frame.pts is not None:
                    self._put(Piece(frame, self._clock.place(kind, frame.pts)))
        if kind == "video":
            self._end()

    def _changed(self) -> None:
        if self._link.connectionState in {"failed", "closed"}:
            self._end()

    def _end(self) -> None:
        self._over = True
        self._put(None)

    def _put(self, piece: Piece | None) -> None:
        """A reader that is behind loses what is newest: it is live, and what waits comes first."""
        with contextlib.suppress(Full):
            self._queue.put_nowait(piece)


def _without_names(offer: str) -> str:
    """The offer without candidates that are names (mDNS): a browser that hides its address comes
    by itself, and no name is looked up. More candidates may follow by what arrives."""
    kept = (
        line
        for line in offer.splitlines()
        if not line.startswith("a=end-of-candidates")
        and not (line.startswith("a=candidate:") and ".local" in line)
    )
    return "\r\n".join(kept) + "\r\n"


def _hear_reports(receiver: Any, clock: SharedClock) -> None:
    """Tell the clock of each sender's report: aiortc reads them and keeps them to itself."""
    take = receiver._handle_rtcp_packet
    kind: Kind = "video" if receiver.track.kind == "video" else "audio"

    async def heard(packet: Any) -> None:
        origin = receiver._RTCRtpReceiver__timestamp_mapper._origin
        if isinstance(packet, RtcpSrPacket) and origin is not None:
            sent = packet.sender_info
            clock.report(kind, sent.rtp_timestamp - origin, sent.ntp_timestamp)
        await take(packet)

    receiver._handle_rtcp_packet = heard
