"""One machine's control plane, put together: broker, bus, services and API in one process."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from pydantic import ValidationError

from cloud_control.adapters.broker import Broker, BrokerFiles
from cloud_control.adapters.certifier import LocalCertifier
from cloud_control.adapters.embedded import EmbeddedBroker
from cloud_control.adapters.eviction import evict
from cloud_control.adapters.mosquitto import Mosquitto
from cloud_control.adapters.mqtt import MqttBus
from cloud_control.adapters.sqlite.store import SqliteStore
from cloud_control.api.app import Reach, create_app
from cloud_control.api.directory import directory_router, playback_router
from cloud_control.api.pages import pages_router
from cloud_control.api.thumbnails import thumbnails_router
from cloud_control.data_folder import DataFolder, Settled
from cloud_control.domain.access import Role
from cloud_control.errors import DataFolderError, ServeError
from cloud_control.ingest.embedded import EmbeddedIngest
from cloud_control.ingest.nginx_rtmp import NginxIngest
from cloud_control.ingest.port import APP, FrontDoor, Ingest, MayPublish, OnEvent, Options
from cloud_control.original_app import OriginalAppServer
from cloud_control.plane import Keeper, assemble
from cloud_control.platform import Platform
from cloud_control.service.access import Access
from cloud_control.service.audit import Audit
from cloud_control.service.leases import Leases
from cloud_control.service.original_app import OriginalApp
from cloud_control.service.phone_door import PhoneDoor
from cloud_control.service.uploads import Uploads
from cloud_control.web_server import Freshener, WebServer, until_signalled

FIRST = "first administrator"
LOOPBACK = "127.0.0.1"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `veilcast control serve` is asked for. url: by which devices reach the API; ingest:
    embedded, nginx or none; original_app: the agent that protects what the original app pushes;
    record: keep what the ingest takes."""

    data: Path
    broker: str
    bind: str
    port: int
    broker_port: int
    tls: bool = True
    url: str | None = None
    ingest: str = "none"
    ingest_port: int = 1935
    original_app: str | None = None
    original_app_port: int = 5000
    record: bool = False


def initialise(data: Path, fleet: str, host: str, *, empty: bool = False) -> str | None:
    """Make a control plane; the first administrator's token is returned, which is not kept. empty:
    make none, for documents that are imported next.

    Raises DataFolderError when there is one, or when a name cannot be one.
    """
    try:
        settled = Settled(fleet=fleet, host=host)
    except ValidationError as problem:
        which = problem.errors(include_input=False)[0]["loc"][0]
        raise DataFolderError(
            f"--{which} cannot be that; see `veilcast control init --help`."
        ) from None
    folder = DataFolder(data.resolve())
    if folder.made:
        raise DataFolderError(f"{data} holds a control plane already; choose another --data.")
    folder.make(settled)
    if empty:
        folder.settle(settled)
        return None
    store = SqliteStore(folder.database)
    access = Access(store, Audit(store, now_ms), now_ms)
    for former in [one for one in access.all() if one.name == FIRST]:
        log.warning("a token of an interrupted init stays; withdraw it", token=former.id)
    _, token = access.make("system", FIRST, Role.ADMIN)
    store.close()
    folder.settle(settled)
    return token


def run(wanted: Wanted) -> None:
    """Serve until SIGINT or SIGTERM. Raises ControlError when it cannot."""
    _refuse_contradictions(wanted)
    folder = DataFolder(wanted.data.resolve())
    settled = folder.settled()
    _raise_limits()
    with ExitStack() as stack:
        stack.enter_context(folder.locked())
        web = WebServer(wanted.bind, wanted.port)
        stack.callback(web.close)
        files = folder.broker_files(settled)
        place = _Place.of(wanted, settled)
        broker = _broker(wanted, folder, files)
        if broker is not None:
            broker.start()
            stack.callback(broker.stop)
        identity = folder.authority.identify_control()
        bus = MqttBus(place.reached, place.port, files.authority, *identity)
        store = SqliteStore(folder.database)
        stack.callback(store.close)
        certifier = LocalCertifier(
            folder.authority,
            broker.reload if broker else lambda: None,
            partial(evict, folder.authority, host=place.reached, port=place.port),
        )
        plane = assemble(
            settled.fleet, store, bus, certifier, now_ms, _ingest_url(wanted, settled.host)
        )
        leases = Leases(store, settled.fleet)
        door = PhoneDoor(plane, leases) if wanted.original_app else None
        keeper = Keeper(plane)
        keeper.start()
        stack.callback(keeper.close)
        bus.start()
        stack.callback(bus.stop)
        hls = Options(folder.ingest).hls
        platform = Platform(plane, hls, _ingest(wanted, folder, door))
        platform.start()
        stack.callback(platform.close)
        if door is not None and wanted.original_app:
            original = OriginalApp(plane, leases, wanted.original_app, door.pushed)
            phones = OriginalAppServer(original, wanted.bind, wanted.original_app_port)
            phones.start()
            stack.callback(phones.close)
        freshener = Freshener(folder.models)
        freshener.start()
        stack.callback(freshener.close)
        scheme = "https" if wanted.tls else "http"
        url = wanted.url or f"{scheme}://{settled.host}:{wanted.port}"
        reach = Reach(
            broker=(place.told, place.port),
            authority=files.authority.read_text(),
            root=lambda: dict(json.loads(folder.models.shelf.root_bytes())),
            models=folder.models.folder,
            url=url.rstrip("/"),
        )
        public = (
            directory_router(platform.directory),
            playback_router(platform.directory, hls),
            thumbnails_router(platform.directory, platform.stills),
            pages_router(),
        )
        app = create_app(plane, reach, Uploads(folder.uploads), *public)
        web.serve(app, files if wanted.tls else None)
        log.info("the control plane serves", api=url, broker=f"{place.told}:{place.port}")
        until_signalled(web)
        log.info("stopping")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the broker is: for the control plane itself, and as devices are told."""

    reached: str
    told: str
    port: int

    @staticmethod
    def of(wanted: Wanted, settled: Settled) -> _Place:
        if wanted.broker in {"mosquitto", "embedded"}:
            own = wanted.bind if wanted.bind not in {"0.0.0.0", "::"} else LOOPBACK
            return _Place(own, settled.host, wanted.broker_port)
        try:
            parts = urlsplit(wanted.broker)
            host, port = parts.hostname, parts.port or 8883
        except ValueError:
            host, port = None, 0
        if host is None or parts.scheme != "mqtts":
            raise ServeError("--broker is mosquitto, embedded or mqtts://HOST:PORT.")
        return _Place(host, host, port)


def _broker(wanted: Wanted, folder: DataFolder, files: BrokerFiles) -> Broker | None:
    if wanted.broker == "mosquitto":
        return Mosquitto(folder.broker, files, wanted.bind, wanted.broker_port)
    if wanted.broker == "embedded":
        return EmbeddedBroker(files, wanted.bind, wanted.broker_port)
    return None


def _refuse_contradictions(wanted: Wanted) -> None:
    if wanted.ingest not in {"embedded", "nginx", "none"}:
        raise ServeError("--ingest is embedded, nginx or none.")
    if wanted.record and wanted.ingest == "none":
        raise ServeError("--record needs an ingest: --ingest nginx or embedded.")
    if wanted.original_app and wanted.ingest != "nginx":
        raise ServeError(
            "--original-app needs --ingest nginx: the app plays RTMP, which only nginx serves."
        )


def _ingest(
    wanted: Wanted, folder: DataFolder, door: FrontDoor | None
) -> Callable[[MayPublish, OnEvent], Ingest] | None:
    options = Options(folder.ingest, wanted.bind, wanted.ingest_port, record=wanted.record)
    if wanted.ingest == "nginx":
        return partial(NginxIngest, options, door=door)
    return partial(EmbeddedIngest, options) if wanted.ingest == "embedded" else None


def _ingest_url(wanted: Wanted, host: str) -> str | None:
    """Where agents publish, without a stream key."""
    if wanted.ingest == "none":
        return None
    return f"rtmp://{f'[{host}]' if ':' in host else host}:{wanted.ingest_port}/{APP}"


def _raise_limits() -> None:
    """A connection is an open file, here and in a broker that is started from here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def now_ms() -> int:
    return time.time_ns() // 1_000_000
