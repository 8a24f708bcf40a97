"""A publisher as a phone's browser is one: camera and microphone over WebRTC, by WHIP."""

from __future__ import annotations

import asyncio
import fractions
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame, VideoFrame
from numpy.typing import NDArray

PATIENCE_S = 30.0
FPS, RATE = 25, 48_000
CHIRP_EVERY_S = 1.0

T = TypeVar("T")
Picture = NDArray[np.uint8]


def flashing(size: tuple[int, int]) -> Callable[[float], Picture]:
    """Dark, and bright for a tenth of each second."""
    width, height = size

    def picture(at: float) -> Picture:
        bright = at % CHIRP_EVERY_S < 0.1
        return np.full((height, width, 3), 255 if bright else 30, np.uint8)

    return picture


class _Camera(MediaStreamTrack):
    kind = "video"

    def __init__(self, picture: Callable[[float], Picture]) -> None:
        super().__init__()
        self.picture, self._count, self._began = picture, 0, time.monotonic()

    async def recv(self) -> VideoFrame:
        self._count += 1
        at = self._count / FPS
        await asyncio.sleep(max(0.0, self._began + at - time.monotonic()))
        frame = VideoFrame.from_ndarray(self.picture(at), format="rgb24")
        frame.pts, frame.time_base = self._count * 90_000 // FPS, fractions.Fraction(1, 90_000)
        return frame


class _Microphone(MediaStreamTrack):
    """A tone while the picture is bright."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._count, self._began = 0, time.monotonic()

    async def recv(self) -> AudioFrame:
        length = RATE // 50
        first = self._count * length
        self._count += 1
        await asyncio.sleep(max(0.0, self._began + self._count / 50 - time.monotonic()))
        at = np.arange(first, first + length) / RATE
        loud = (at % CHIRP_EVERY_S < 0.1) * np.sin(2 * np.pi * 1000 * at)
        frame = AudioFrame.from_ndarray((loud * 20_000).astype(np.int16)[None], layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, first, fractions.Fraction(1, RATE)
        return frame


class Phone:
    """Publishes from a thread of its own, until it is closed."""

    def __init__(
        self, picture: Callable[[float], Picture], *, sound: bool = True, codec: str = "VP8"
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._picture, self._with_sound, self._codec = picture, sound, codec
        self._link = self._do(self._open())
        self.location = ""

    def offer(self) -> str:
        return self._do(self._offer())

    def publish(self, url: str, **headers: str) -> httpx.Response:
        """Offer, and take the answer if it is one."""
        answer = post(url, self.offer(), **headers)
        if answer.status_code == 201:
            self.location = str(httpx.URL(url).join(answer.headers["location"]))
            self._do(self._link.setRemoteDescription(RTCSessionDescription(answer.text, "answer")))
        return answer

    def show(self, picture: Callable[[float], Picture]) -> None:
        """Another picture from now on."""
        self.camera.picture = picture

    def leave(self) -> httpx.Response:
        return httpx.delete(self.location)

    def vanish(self) -> None:
        """As when the battery is empty: not a word more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)

    def close(self) -> None:
        if self._thread.is_alive():
            self.vanish()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        await self._link.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _open(self) -> RTCPeerConnection:
        self.camera = _Camera(self._picture)
        link = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        known = RTCRtpSender.getCapabilities("video").codecs
        wanted = [one for one in known if one.mimeType == f"video/{self._codec}"]
        link.addTransceiver(self.camera, "sendonly").setCodecPreferences(wanted)
        if self._with_sound:
            link.addTransceiver(_Microphone(), "sendonly")
        return link

    async def _offer(self) -> str:
        await self._link.setLocalDescription(await self._link.createOffer())
        return str(self._link.localDescription.sdp)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


def post(url: str, offer: str | bytes, **headers: str) -> httpx.Response:
    return httpx.post(
        url, content=offer, headers={"Content-Type": "application/sdp", **headers}, timeout=30
    )
