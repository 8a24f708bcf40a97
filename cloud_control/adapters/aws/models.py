"""The model repository in an S3 bucket, from which a web cache serves it to devices.

There is no lock: two publishers may work at once. A version of signed metadata is written only
where none is, so nothing that is in force ever changes; and a new timestamp takes the place of
exactly the one that was read. So one of two publishers wins, and the other begins anew.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cloud_control.adapters.aws.calls import code_of, explained
from cloud_control.tuf.files import OvertakenError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERVICE = "S3"
TIMESTAMP = "metadata/timestamp.json"
SETTLES = timedelta(days=1)
"""A file that nothing names may belong to a publisher who is about to name it, for so long."""
OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
JSON, BYTES = "application/json", "application/octet-stream"
FOREVER, FRESH = "public, max-age=31536000, immutable", "public, max-age=60"


class BucketFiles:
    """See `Files`. For one thread at a time between `alone` and its end."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket
        self._changing = threading.Lock()
        self._timestamp: str | None = None  # the tag of the one that a change replaces

    def __str__(self) -> str:
        return f"s3://{self._bucket}"

    def exists(self, path: str) -> bool:
        return self._tag(path) is not None

    def read(self, path: str) -> bytes:
        with explained(SERVICE):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=path)["Body"].read()
            except ClientError as problem:
                if code_of(problem) in MISSING:
                    raise FileNotFoundError(path) from None
                raise

    def write(self, path: str, content: bytes) -> None:
        condition: dict[str, Any] = {}
        if path == TIMESTAMP and self._timestamp is not None:
            condition = {"IfMatch": self._timestamp}
        elif path.startswith("metadata/"):
            condition = {"IfNoneMatch": "*"}
        with explained(SERVICE):
            try:
                put = self._client.put_object(
                    Bucket=self._bucket,
                    Key=path,
                    Body=content,
                    ContentType="application/json"
                    if path.endswith(".json")
                    else "binary/octet-stream",
                    CacheControl=FRESH if path == TIMESTAMP else FOREVER,
                    **condition,
                )
            except ClientError as problem:
                if code_of(problem) not in OVERTAKEN:
                    raise
                raise OvertakenError(
                    f"Somebody else published in {self} meanwhile, or was interrupted: try again."
                ) from None
        if path == TIMESTAMP:
            self._timestamp = put["ETag"]

    def free(self, prefix: str, version: int, suffix: str) -> int:
        while self.exists(f"{prefix}{version}{suffix}"):
            version += 1
        return version

    def sweep(self, folder: str, named: Collection[str]) -> None:
        oldest = datetime.now(UTC) - SETTLES
        with explained(SERVICE):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{folder}/"
            )
            for found in (one for page in pages for one in page.get("Contents", [])):
                path = found["Key"]
                if path.removeprefix(f"{folder}/") not in named and found["LastModified"] < oldest:
                    self._client.delete_object(Bucket=self._bucket, Key=path)

    @contextmanager
    def alone(self, *, creating: bool = False) -> Iterator[None]:  # noqa: ARG002
        with self._changing:
            self._timestamp = self._tag(TIMESTAMP)
            yield

    def _tag(self, path: str) -> str | None:
        with explained(SERVICE):
            try:
                return self._client.head_object(Bucket=self._bucket, Key=path)["ETag"]
            except ClientError as problem:
                if code_of(problem) in MISSING:
                    return None
                raise
