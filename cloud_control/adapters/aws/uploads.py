"""Devices' uploads straight into an S3 bucket, by addresses that are signed for one object each."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cloud_control.adapters.aws.calls import code_of, explained
from cloud_control.service.uploads import (
    Ticket,
    UploadRefusedError,
    Wanted,
    check_name,
    check_sum,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERVICE = "S3"
LIFE_S = 3600
LARGEST = 5 << 30
MISSING = frozenset({"404", "NotFound", "NoSuchKey"})


class BucketUploads:
    """See `Tickets`: {fleet}/{agent}/{stream}/{name}. S3 itself takes nothing but what has the
    size and checksum that were announced. The client must sign by version 4."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def ticket(self, fleet: str, agent: str, wanted: Wanted) -> Ticket:
        check_name(fleet, agent, wanted.stream, wanted.name)
        check_sum(wanted)
        if wanted.size > LARGEST:
            raise UploadRefusedError(413, "S3 takes 5 GiB at once: record shorter segments")
        path = f"{fleet}/{agent}/{wanted.stream}/{wanted.name}"
        told = {
            "sha256": wanted.sha256, "first-ms": str(wanted.first_ms),
            "last-ms": str(wanted.last_ms), "started-at": str(wanted.started_at),
        }  # fmt: skip
        digest = base64.b64encode(bytes.fromhex(wanted.sha256)).decode()
        here = self._here(path)
        if here not in (None, (wanted.sha256, wanted.size)):
            raise UploadRefusedError(403, "another upload of this name is here: it stays")
        headers = {
            "x-amz-checksum-sha256": digest,
            **{f"x-amz-meta-{name}": value for name, value in told.items()},
            **({} if here else {"If-None-Match": "*"}),
        }
        with explained(SERVICE):
            url = self._client.generate_presigned_url(
                "put_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": path,
                    "ChecksumSHA256": digest,
                    "ContentLength": wanted.size,
                    "Metadata": told,
                    **({} if here else {"IfNoneMatch": "*"}),
                },
                ExpiresIn=LIFE_S,
            )
        return Ticket(url, headers)

    def _here(self, path: str) -> tuple[str, int] | None:
        """Checksum and size of what is there."""
        with explained(SERVICE):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=path)
            except ClientError as problem:
                if code_of(problem) in MISSING:
                    return None
                raise
        return found["Metadata"].get("sha256", ""), found["ContentLength"]
