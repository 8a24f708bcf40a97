"""moto's server in a process of its own, and clients that reach it as they would reach AWS."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import httpx

from cloud_control.adapters.aws.calls import CONFIG, S3_CONFIG
from cloud_control.adapters.aws.store import DynamoStore
from tests.cloud_control.brokers import HOST, free_port, wait_until

REGION = "eu-west-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass(frozen=True)
class Cloud:
    """What answers in AWS's place."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """For a process that shall find it by itself."""
        return {**CREDENTIALS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str, **more: Any) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            **{"config": S3_CONFIG if service == "s3" else CONFIG, **more},
        )

    def table(self) -> str:
        """A fresh table, as Terraform makes it."""
        name = f"veilcast-{secrets.token_hex(4)}"
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "kind", "AttributeType": "S"},
                {"AttributeName": "key", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "kind", "KeyType": "HASH"},
                {"AttributeName": "key", "KeyType": "RANGE"},
            ],
        )
        return name

    def bucket(self) -> str:
        """A fresh, versioned bucket."""
        name = f"veilcast-{secrets.token_hex(4)}"
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def store(self, table: str | None = None, **more: Any) -> DynamoStore:
        return DynamoStore(self.client("dynamodb"), table or self.table(), **more)


@contextmanager
def running_moto() -> Iterator[Cloud]:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cloud_control.aws.serve_moto", str(port)],
        env={**os.environ, **CREDENTIALS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            cloud = Cloud(f"http://{HOST}:{port}")
            wait_until(lambda: _answers(cloud, server), "moto answers")
            yield cloud
        finally:
            server.terminate()


def _answers(cloud: Cloud, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "moto ended"
    try:
        return httpx.get(f"{cloud.url}/moto-api/data.json").is_success
    except httpx.TransportError:
        return False
