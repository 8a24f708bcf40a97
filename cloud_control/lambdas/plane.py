"""The one place where the functions' parts are wired together, from the environment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from cloud_control.adapters.aws import clients
from cloud_control.adapters.aws.bus import IotBus
from cloud_control.adapters.aws.certifier import IotCertifier
from cloud_control.adapters.aws.ivs import IvsEntrance
from cloud_control.adapters.aws.models import BucketFiles
from cloud_control.adapters.aws.secrets import Secrets
from cloud_control.adapters.aws.store import DynamoStore
from cloud_control.errors import NotFoundError
from cloud_control.ingest.port import Event, OnEvent
from cloud_control.lambdas.settings import AwsSettings, settings
from cloud_control.plane import Plane, assemble
from cloud_control.service.admission import Admission
from cloud_control.service.flows import StoredFlows
from cloud_control.service.memory import LIVES, in_store
from cloud_control.service.stored_directory import StoredDirectory
from cloud_control.service.stored_publishers import StoredPublishers
from cloud_control.tuf.repository import ModelRepository, RepositoryKeys

ONLINE_KEYS = "models-online"
"""The secret with the keys that keep the model repository fresh: texts in PEM by any name."""
HOOK_SECRET = "ingest-hook"


@dataclass(frozen=True, slots=True)
class Parts:
    """ivs: the ingest, where that is IVS; publishers: who an ingest of one's own has let in; tell:
    what either saw; flows: what they told so far."""

    settings: AwsSettings
    store: DynamoStore
    plane: Plane
    flows: StoredFlows
    directory: StoredDirectory
    ivs: IvsEntrance | None
    publishers: StoredPublishers
    tell: OnEvent

    def secrets(self) -> Secrets:
        return Secrets(clients.secrets(), self.settings.secrets)

    def models(self, *, signing: bool = False) -> ModelRepository:
        """signing: with the keys that are in Secrets Manager."""
        held = signers(self.secrets()) if signing else []
        keys = RepositoryKeys(Path("keys-are-not-here"), held=held)
        return ModelRepository(BucketFiles(clients.s3(), self.settings.models_bucket), keys)


@cache
def parts() -> Parts:
    """Of this process; what it keeps is in the cloud. Raises ControlError."""
    return put_together(settings())


def put_together(told: AwsSettings) -> Parts:
    store = DynamoStore(clients.dynamodb(), told.table, LIVES)
    ivs = None
    if told.ingest == "ivs":
        ivs = IvsEntrance(
            clients.ivs(), store, told.fleet, now_ms, recording=told.recording, kind=told.ivs_type
        )
    own = told.ingest_url.rstrip("/") if told.ingest == "self-hosted" else None
    plane = assemble(
        told.fleet,
        store,
        IotBus(clients.iot_data(told.iot_endpoint)),
        IotCertifier(clients.iot(), told.iot_policy),
        now_ms,
        ivs or own,
        in_store(store),
    )
    hls = told.hls_url.rstrip("/")

    def playback(stream: str) -> str:
        if ivs is None:
            return f"{hls}/{stream}/index.m3u8"
        try:
            return ivs.playback(stream)
        except NotFoundError:
            return ""

    flows = StoredFlows(store, told.fleet)
    directory = StoredDirectory(
        store, told.fleet, plane.documents.streams, plane.live, flows, now_ms, playback
    )

    def tell(event: Event) -> None:
        flows.tell(event)
        directory.look(event.stream)

    admission = Admission(told.fleet, plane.streams, plane.documents)
    publishers = StoredPublishers(
        store, told.fleet, admission.may_publish, admission.voucher, tell, now_ms
    )
    plane.events.listen(_Changes(plane, directory))
    return Parts(told, store, plane, flows, directory, ivs, publishers, tell)


class _Changes:
    """Shows in the directory what is changed of streams by the API."""

    KINDS = frozenset({"stream_changed", "stream_removed"})

    def __init__(self, plane: Plane, directory: StoredDirectory) -> None:
        self._plane, self._directory = plane, directory
        self._seen = plane.events.newest

    def __call__(self) -> None:
        found, _ = self._plane.events.after(self._seen)
        for event in found:
            self._seen = event.number
            if event.kind in self.KINDS:
                self._directory.look(str(event.data["id"]))


def signers(secrets: Secrets) -> list[CryptoSigner]:
    """The keys of the model repository that are kept in the cloud."""
    pems = secrets.read(ONLINE_KEYS)
    return [CryptoSigner(load_pem_private_key(pem.encode(), None)) for pem in pems.values()]


def now_ms() -> int:
    return time.time_ns() // 1_000_000
