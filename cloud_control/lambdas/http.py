"""The HTTP API behind API Gateway (payload 2.0): the same application as on one machine.

Answers cannot be held open here, so events are polled; who watches is counted by the player's own
service, not here; and there are no thumbnails, since nothing here sees pictures.
"""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from mangum import Mangum

from cloud_control.adapters.aws import clients
from cloud_control.adapters.aws.roots import amazon_roots
from cloud_control.adapters.aws.uploads import BucketUploads
from cloud_control.api.app import Reach, create_app
from cloud_control.api.directory import directory_router
from cloud_control.api.events import polled
from cloud_control.api.pages import pages_router
from cloud_control.lambdas.plane import LOOK_AGAIN_S, Parts, parts

MQTT_PORT = 8883
IVS_PLAYERS = "https://*.live-video.net"


def application(found: Parts) -> FastAPI:
    told, plane = found.settings, found.plane
    repository = found.models()
    reach = Reach(
        broker=(told.iot_endpoint, MQTT_PORT),
        authority=told.authority or amazon_roots(),
        root=lambda: dict(json.loads(repository.shelf.root_bytes())),
        models=None,
        url=told.url.rstrip("/"),
        models_url=told.models_url.rstrip("/"),
    )
    uploads = BucketUploads(clients.s3(), told.uploads_bucket) if told.uploads_bucket else None
    playback = [IVS_PLAYERS] if told.ingest == "ivs" else _origin(told.hls_url)
    return create_app(
        plane,
        reach,
        uploads,
        directory_router(found.directory, _Refresh(found), polled),
        pages_router(playback),
        follow=polled,
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return dict(_mangum()(event, context))


@cache
def _mangum() -> Mangum:
    return Mangum(application(parts()), lifespan="off")


class _Refresh:
    """Refreshes the directory, but not for each of many requests at once."""

    def __init__(self, found: Parts) -> None:
        self._found, self._at = found, float("-inf")

    def __call__(self) -> None:
        if time.monotonic() - self._at > LOOK_AGAIN_S:
            self._at = time.monotonic()
            self._found.refresh()


def _origin(url: str) -> list[str]:
    parts = urlsplit(url)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []
