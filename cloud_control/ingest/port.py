"""What any ingest does for the control plane, and what it asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs

APP = "live"


@dataclass(frozen=True, slots=True)
class Asked:
    """Someone wants to publish: rtmp://HOST/APP with the stream key NAME?key=KEY, or KEY alone.

    name and key are then the same. Neither is shown when this is printed.
    """

    app: str
    name: str = field(repr=False)
    key: str = field(repr=False)
    address: str


@dataclass(frozen=True, slots=True)
class Granted:
    """stream: the public id under which it is published; it becomes part of addresses."""

    stream: str


@dataclass(frozen=True, slots=True)
class Refused:
    """reason: a few words that encoders show to their users."""

    reason: str


MayPublish = Callable[[Asked], Granted | Refused]
"""Decides by app, name, key and address. Called from several threads; may take its time."""


class Kind(StrEnum):
    """PLAYABLE: segments come, for the first time or after a stall. ENDED: nothing more comes, and
    players were told so; PUBLISH_DONE alone may be followed by the publisher's return."""

    PUBLISH = "publish"
    PUBLISH_DONE = "publish_done"
    PLAYABLE = "playable"
    STALL = "stall"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a stream, and when (s since the epoch)."""

    kind: Kind
    stream: str
    at: float


class FrontDoor(Protocol):
    """For encoders and players that come with names of their own, not with keys and public ids.

    What is pushed under such a name is not protected yet: the ingest keeps, cuts and plays nothing
    of it. Called from several threads.
    """

    def push(self, session: str, name: str, address: str, lease_s: float) -> str | None:
        """A session begins, for `lease_s` seconds at first: the rtmp:// address to pass it on to.
        None: the name is none of ours, or is not this caller's."""

    def goes_on(self, session: str, name: str, address: str, lease_s: float) -> bool:
        """Still there; False: to be hung up on, or none of ours."""

    def left(self, session: str) -> None:
        """The session is over; nothing happens if it never began."""

    def shown_as(self, name: str) -> str | None:
        """The public id of the stream that players know by that name."""


class Sessions(Protocol):
    """Who publishes what now, as the hooks of RTMP servers tell. From any thread."""

    def enter(
        self, session: str, asked: Asked, lease_s: float = ..., *, by_name: bool = False
    ) -> Granted | Refused:
        """A session begins, for `lease_s` seconds at first, or is told why not. by_name: the server
        cannot give a stream another name, so it must come with its public id."""

    def leave(self, session: str) -> None:
        """The session is over; nothing happens if it never began."""

    def leave_stream(self, stream: str) -> None:
        """Whoever published the stream is gone."""

    def renew(self, session: str, lease_s: float) -> bool | None:
        """Still there: True. To be hung up on: False. Never heard of: None."""

    def heard(self, session: str, mark: str = "") -> None:
        """The session's media go on; mark: how far they have come."""

    def publishing(self) -> frozenset[str]:
        """The streams that have a publisher now."""


OnEvent = Callable[[Event], None]
"""Told in the order in which things happened, from one thread. Must be quick and not raise."""


@dataclass(frozen=True, slots=True)
class Options:
    """folder: holds hls/ and recordings/. linger_s: how long a publisher that is gone may take to
    return before its stream ends. silent_s: a publisher that sends nothing for so long has stalled,
    where the server tells. record: keep what is published, as it is, in recordings/.
    playlists: False where segments are cut by somebody who does not put them into hls/; then
    neither PLAYABLE nor STALL is told."""

    folder: Path
    host: str = "0.0.0.0"
    port: int = 1935
    segment_s: float = 2.0
    linger_s: float = 30.0
    silent_s: float = 1.0
    record: bool = False
    playlists: bool = True

    @property
    def hls(self) -> Path:
        """A folder for each stream, to be served by `hls_router`."""
        return self.folder / "hls"

    @property
    def recordings(self) -> Path:
        """A folder for each stream that was recorded."""
        return self.folder / "recordings"


class Ingest(Protocol):
    """Takes streams at one RTMP port, one publisher a stream at a time."""

    def start(self) -> None:
        """Begin to serve; raises IngestError when it cannot, such as for a port that is taken."""

    def close(self) -> None:
        """Hang up on all publishers and free the port; their streams go on if they return to the
        next one within its linger_s."""

    def publishing(self) -> frozenset[str]:
        """The streams that have a publisher now."""

    def playback(self, stream: str) -> str:
        """Where the stream plays: an address, or a path below that of the control plane."""

    def hang_up(self, stream: str) -> None:
        """Part with the stream's publisher, if any, such as for a key that is void now. It may come
        back if `may_publish` lets it."""

    def end(self, stream: str) -> None:
        """Hang up, and tell the players that the stream is over."""


def hls_path(stream: str) -> str:
    """Where `hls_router` serves a stream's playlist."""
    return f"/hls/{stream}/index.m3u8"


def asked(app: str, stream_key: str, address: str) -> Asked:
    """From the stream key as the encoder sent it."""
    name, _, query = stream_key.partition("?")
    return Asked(app, name, first(parse_qs(query), "key") or name, address)


def first(values: dict[str, list[str]], name: str) -> str:
    """The first value of a name in a query or form; empty without one."""
    return values.get(name, [""])[0]
