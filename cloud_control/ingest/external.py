"""An ingest whose RTMP server runs elsewhere: nginx-rtmp, MediaMTX or SRS, known by their hooks."""

from __future__ import annotations

from fastapi import APIRouter

from cloud_control.ingest.hooks import hooks_router
from cloud_control.ingest.port import FrontDoor, MayPublish, OnEvent, Options, hls_path
from cloud_control.ingest.publishers import Publishers
from cloud_control.ingest.watch import Watch


class ExternalIngest:
    """An `Ingest` that is told by `router`, which must be served where the RTMP server asks.

    secret, relay, door: see `hooks_router`. The host and port of the options are not used.
    """

    def __init__(
        self,
        options: Options,
        may_publish: MayPublish,
        on_event: OnEvent,
        secret: str,
        relay: str,
        door: FrontDoor | None = None,
    ) -> None:
        self._publishers = Publishers(may_publish)
        self._watch = Watch(options, self._publishers, on_event)
        self.router: APIRouter = hooks_router(self._publishers, secret, relay, door)

    def start(self) -> None:
        self._watch.start()

    def close(self) -> None:
        """Publishers stay where they are: nginx goes on telling whoever is started next."""
        self._watch.close()

    def publishing(self) -> frozenset[str]:
        return self._publishers.publishing()

    def playback(self, stream: str) -> str:
        return hls_path(stream)

    def hang_up(self, stream: str) -> None:
        """nginx does when it next asks, at once; MediaMTX and SRS never ask again: refuse the
        key, and hang up by their own means."""
        self._publishers.dismiss(stream)

    def end(self, stream: str) -> None:
        self.hang_up(stream)
        self._watch.end(stream)

    def forget(self) -> None:
        """The server is gone, and with it all connections."""
        self._publishers.leave_all()
