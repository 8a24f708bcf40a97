"""A control plane on AWS: its beginning, once Terraform has made what it runs on."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cloud_control.adapters.aws import clients
from cloud_control.adapters.aws.models import BucketFiles
from cloud_control.adapters.aws.secrets import Secrets
from cloud_control.adapters.aws.store import DynamoStore
from cloud_control.domain.access import Role
from cloud_control.errors import DataFolderError
from cloud_control.lambdas.plane import HOOK_SECRET, ONLINE_KEYS, put_together
from cloud_control.lambdas.settings import settings
from cloud_control.service.memory import LIVES
from cloud_control.tuf.files import BUCKET_FILE
from cloud_control.tuf.keys import KeyFolder
from cloud_control.tuf.repository import ModelRepository, RepositoryKeys
from cloud_control.tuf.signing import SNAPSHOT, TIMESTAMP

FIRST = "first administrator"


@dataclass(frozen=True, slots=True)
class Begun:
    fleet: str
    token: str | None
    keys: Path


def begin(data: Path, *, empty: bool = False) -> Begun:
    """Make the model repository in its bucket, its keys below `data`, and the first
    administrator's token, which is not kept. Done again after a failure, it goes on. empty: make
    no token, for documents that are imported next.

    Raises DataFolderError when there is a control plane already.
    """
    told = settings()
    found = put_together(told)
    if found.plane.access.all():
        raise DataFolderError(
            f"the table {told.table} holds a control plane already: make tokens with an "
            "administrator's."
        )
    if told.models_bucket:
        _begin_models(told.models_bucket, data, found.secrets())
    if told.ingest == "self-hosted" and not found.secrets().read(HOOK_SECRET):
        found.secrets().write(HOOK_SECRET, {"secret": secrets.token_urlsafe(32)})
    if empty:
        return Begun(told.fleet, None, data / "keys")
    found.plane.documents.begin(told.fleet)
    _, token = found.plane.access.make("system", FIRST, Role.ADMIN)
    return Begun(told.fleet, token, data / "keys")


def store() -> DynamoStore:
    """The documents of the control plane that the environment names."""
    return DynamoStore(clients.dynamodb(), settings().table, LIVES)


def begin_anew() -> None:
    """After documents were imported: versions go on beyond all that devices may have seen."""
    told = settings()
    put_together(told).plane.documents.begin(told.fleet)


def repository(data: Path, root_keys: list[Path] | None = None) -> ModelRepository:
    """The model repository of a data folder that has its own in a bucket."""
    bucket = str(json.loads((data / BUCKET_FILE).read_text())["bucket"])
    keys = RepositoryKeys(data / "keys" / "online", root_keys or [data / "keys" / "root"])
    return ModelRepository(BucketFiles(clients.s3(), bucket), keys)


def _begin_models(bucket: str, data: Path, secrets: Secrets) -> None:
    data.mkdir(parents=True, exist_ok=True)
    (data / BUCKET_FILE).write_text(json.dumps({"bucket": bucket}))
    found = repository(data)
    if not found.shelf.exists:
        found.create()
    folder = KeyFolder(data / "keys" / "online")
    held = [*folder.of_role(TIMESTAMP), *folder.of_role(SNAPSHOT)]
    pems = {one.public_key.keyid: one.private_bytes.decode() for one in held}
    secrets.write(ONLINE_KEYS, pems)
