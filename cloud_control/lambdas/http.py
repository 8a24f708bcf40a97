"""The HTTP API behind API Gateway (payload 2.0): the same application as on one machine.

Answers cannot be held open here, so events are polled; who watches is counted by the player's own
service, not here; and there are no thumbnails, since nothing here sees pictures.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from mangum import Mangum

from cloud_control.adapters.aws import clients
from cloud_control.adapters.aws.roots import amazon_roots
from cloud_control.adapters.aws.uploads import BucketUploads
from cloud_control.api.app import Reach, create_app
from cloud_control.api.directory import directory_router
from cloud_control.api.events import polled
from cloud_control.api.pages import pages_router
from cloud_control.ingest.hooks import OUT, hooks_router
from cloud_control.lambdas.plane import HOOK_SECRET, Parts, parts

GOOD_FOR_S = 2
"""How long a web cache in front may answer questions about the directory: every viewer asks."""
MQTT_PORT = 8883
RELAY = f"rtmp://127.0.0.1:1935/{OUT}"
"""Where the ingest's nginx finds its own second application."""
IVS_PLAYERS = "https://*.live-video.net"


def application(found: Parts) -> FastAPI:
    told, plane = found.settings, found.plane
    repository = found.models()
    reach = Reach(
        broker=_broker(told.iot_endpoint),
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
        directory_router(found.directory, polled, GOOD_FOR_S),
        pages_router(playback),
        *_hooks(found),
        follow=polled,
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return dict(_mangum()(event, context))


@cache
def _mangum() -> Mangum:
    return Mangum(application(parts()), lifespan="off")


def _hooks(found: Parts) -> list[APIRouter]:
    """For an ingest of one's own, if its secret was made."""
    if found.settings.ingest != "self-hosted":
        return []
    secret = found.secrets().read(HOOK_SECRET).get("secret")
    return [hooks_router(found.publishers, secret, RELAY)] if secret else []


def _broker(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.partition(":")
    return host, int(port or MQTT_PORT)


def _origin(url: str) -> list[str]:
    parts = urlsplit(url)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []
