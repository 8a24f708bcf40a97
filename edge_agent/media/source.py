"""Opens whatever a user names as input."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from edge_agent.errors import SourceError
from edge_agent.media.backoff import Backoff
from edge_agent.media.camera import Camera
from edge_agent.media.demux import TS_REACH, Demux, Item
from edge_agent.media.info import SourceInfo
from edge_agent.media.listen import Listener
from edge_agent.media.live import Again, Live
from edge_agent.media.rebase import JUMP, Rebase
from edge_agent.media.relay import Relay, speaks_srt
from edge_agent.media.stamper import Stamper
from edge_agent.media.urls import redact_url, scheme_of
from edge_agent.media.whip.terms import Terms

PROBE = {"analyzeduration": "5000000", "fpsprobesize": "3"}
PUSH_PROBE = {"analyzeduration": "1000000", "fpsprobesize": "3"}
PULLED = {
    "rtmp": PROBE | {"rtmp_live": "live"},
    "rtmps": PROBE | {"rtmp_live": "live"},
    "rtsp": PROBE | {"rtsp_transport": "tcp"},
    "rtsps": PROBE | {"rtsp_transport": "tcp"},
    "srt": PROBE,
    "udp": PROBE,
    "tcp": PROBE,
    "http": {"reconnect": "1", "rw_timeout": "10000000"},
    "https": {"reconnect": "1", "rw_timeout": "10000000"},
}
SCREENS = {
    "linux": ("x11grab", ":0.0"),
    "win32": ("gdigrab", "desktop"),
    "darwin": ("avfoundation", "Capture screen 0:none"),
}
SCREEN_FPS = "30"


class Source(Protocol):
    """Frames, sound, breaks and at last an `End`, read in one thread.

    `info` waits until the source is open. `close` may be called from any thread, more than once,
    and makes the iteration end.
    """

    @property
    def info(self) -> SourceInfo: ...

    def __iter__(self) -> Iterator[Item]: ...

    def close(self) -> None: ...


def open_source(
    url: str,
    *,
    live: bool = False,
    loop: bool = False,
    threads: int = 0,
    camera: Terms = Terms(),  # noqa: B008 - frozen
) -> Source:
    """Open a file, address or device. Raises SourceError, without secrets of the address.

    A path: a file, read as fast as it is taken, or at its own speed with `live`, for ever with
    `loop`. rtmp(s)://, rtsp(s)://, srt://, udp://, http(s)://: pulled, and again when lost.
    listen:rtmp://HOST:PORT/APP/KEY: waits for a push; listen:http(s)://HOST:PORT/APP/KEY: for a
    browser's camera (WHIP), by the terms of `camera`. camera:DEVICE, screen:DEVICE. All but files
    are live, and decode with one thread.
    """
    scheme = scheme_of(url)
    if scheme == "file":
        return _file(url, live=live or loop, loop=loop, threads=threads)
    if scheme == "listen":
        return _listening(url, camera)
    if scheme == "camera":
        return Camera(url.partition(":")[2] or "0")
    if scheme == "screen":
        return _screen(url.partition(":")[2])
    if scheme not in PULLED:
        known = ", ".join(f"{name}://" for name in PULLED)
        raise SourceError(
            f"cannot open {redact_url(url)}: give a file, {known}, "
            "listen:rtmp://, listen:http://, camera: or screen:"
        )
    return _pulled(url, scheme)


def _file(path: str, *, live: bool, loop: bool, threads: int) -> Source:
    if not Path(path).exists():
        raise SourceError(f"cannot open {path}: there is no such file; check the path")
    if not live:
        return Demux(path, name=path, threads=threads)
    reach = TS_REACH if Path(path).suffix in {".ts", ".m2ts"} else None
    stamper = Stamper(Rebase(live=True, reach=reach))

    def open_once() -> Demux:
        return Demux(path, name=path, threads=1, stamper=stamper)

    return Live(open_once, again="loop" if loop else "never", paced=True, first=open_once())


def _pulled(url: str, scheme: str) -> Source:
    target: Callable[[], Any] = lambda: url  # noqa: E731
    format_name = None
    if scheme == "srt" and not speaks_srt():
        target, format_name = lambda: Relay(url), "mpegts"
    opener = _opener(target, redact_url(url), format_name, PULLED[scheme])
    paced = scheme in {"http", "https"}
    first = opener()
    again: Again = "never" if first.info.duration_s else "reconnect"
    return Live(opener, again=again, paced=paced, first=first, backoff=Backoff())


def _listening(url: str, camera: Terms) -> Source:
    address = url.partition(":")[2]
    if scheme_of(address) in {"http", "https"}:
        return _waiting_for_camera(address, redact_url(url), camera)
    listener = Listener(address)
    opener = _opener(listener.accept, redact_url(url), "flv", PUSH_PROBE)
    return Live(opener, again="reconnect", paced=False, interrupt=listener.close)


def _waiting_for_camera(address: str, name: str, terms: Terms) -> Source:
    try:
        from edge_agent.media.whip.door import Door
        from edge_agent.media.whip.published import Published
    except ImportError:
        raise SourceError(
            "a browser's camera needs WebRTC: pip install 'veilcast[webrtc]'"
        ) from None
    door = Door(address, terms)
    stamper = Stamper(Rebase(live=True, reach=JUMP))

    def open_once() -> Published:
        return Published(door.accept(), name, stamper)

    return Live(open_once, again="reconnect", paced=False, interrupt=door.close)


def _screen(device: str) -> Source:
    if sys.platform not in SCREENS:
        raise SourceError("the screen cannot be grabbed on this system; push it from OBS instead")
    format_name, usual = SCREENS[sys.platform]
    name = f"screen:{device}"
    options = {"framerate": SCREEN_FPS}
    opener = _opener(lambda: device or usual, name, format_name, options)
    return Live(opener, again="reconnect", paced=False, first=opener(), backoff=Backoff())


def _opener(
    target: Callable[[], Any], name: str, format_name: str | None, options: dict[str, str]
) -> Callable[[], Demux]:
    """Openings that share one clock: what follows a break comes after it in time."""
    stamper = Stamper(Rebase(live=True, reach=JUMP))

    def open_once() -> Demux:
        return Demux(
            target(), name=name, live=True, format=format_name, options=options, threads=1,
            stamper=stamper,
        )  # fmt: skip

    return open_once
