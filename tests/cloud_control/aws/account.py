"""An account with a control plane in it: the functions, called as AWS calls them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3

from cloud_control.aws_start import begin
from cloud_control.lambdas import http, ivs, messages, plane, provisioning, schedule
from cloud_control.lambdas.plane import Parts
from fleet_contract.codec import encode
from fleet_contract.fields import Message
from fleet_contract.topics import Address, Kind, client_id
from tests.cloud_control.aws.front import Call, Front
from tests.cloud_control.aws.stream_keys import StreamKeys

FLEET, POLICY = "acme", "veilcast-acme-device"


def invoked(event: dict[str, Any]) -> dict[str, Any]:
    """The http function's answer, on a loop of its own: the one that Mangum makes stays open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return http.handler(event, None)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@dataclass
class Account:
    """retained: what IoT Core keeps, by topic; sent: all that was published."""

    front: Front
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    token: str = ""
    retained: dict[str, bytes] = field(default_factory=dict)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    stream_keys: StreamKeys = field(default_factory=StreamKeys)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        raw: str | None = None,
    ) -> dict[str, Any]:
        """The http function's answer to an event of API Gateway, payload 2.0. raw: a body that is
        not JSON."""
        parts = urlsplit(path)
        token = self.token if token is None else token
        sent = {"host": "api.example"}
        if token:
            sent["authorization"] = f"Bearer {token}"
        event = {
            "version": "2.0", "routeKey": "$default", "rawPath": parts.path,
            "rawQueryString": parts.query, "headers": sent, "isBase64Encoded": False,
            "body": raw if body is None else json.dumps(body),
            "requestContext": {
                "accountId": "123456789012", "apiId": "api", "domainName": "api.example",
                "requestId": "r", "routeKey": "$default", "stage": "$default",
                "time": "29/Nov/2026:08:00:00 +0000", "timeEpoch": 1_795_939_200_000,
                "http": {
                    "method": method, "path": parts.path, "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7", "userAgent": "test",
                },
            },
        }  # fmt: skip
        return invoked(event)

    def json(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Of an answer that must be a success."""
        answer = self.ask(method, path, body, **more)
        assert answer["statusCode"] < 300, answer
        return json.loads(answer["body"]) if answer.get("body") else None

    def says(self, agent: str, kind: Kind, message: Message | bytes, name: str = "") -> None:
        """By the rules of IoT Core."""
        payload = message if isinstance(message, bytes) else encode(message)
        topic = str(Address(kind, FLEET, agent, name))
        told = base64.b64encode(payload).decode()
        messages.handler({"payload": told, "topic": topic}, None)

    def lifecycle(self, agent: str, what: str, at_ms: int) -> None:
        messages.handler(
            {"clientId": client_id(FLEET, agent), "eventType": what, "timestamp": at_ms}, None
        )

    def tick(self) -> list[str]:
        """What went wrong in the minute's work."""
        return schedule.handler({}, None)["failed"]

    def provision(self, **event: Any) -> dict[str, Any]:
        return provisioning.handler(event, None)

    def ivs_tells(self, event: str, stream: str, at: str) -> None:
        detail = {"event_name": event, "channel_name": f"veilcast-{FLEET}-{stream}"}
        told = {"detail-type": "IVS Stream State Change", "time": at, "detail": detail}
        ivs.handler(told, None)

    def desired(self, agent: str) -> dict[str, Any]:
        """The document that waits for an agent."""
        return dict(json.loads(self.retained[str(Address(Kind.DESIRED, FLEET, agent))]))

    @property
    def parts(self) -> Parts:
        return plane.parts()

    def cold(self) -> None:
        """New processes: nothing that one of them kept is there any more."""
        plane.parts.cache_clear()
        http._mangum.cache_clear()
        boto3.DEFAULT_SESSION = None

    def _published(self, call: Call) -> None:
        if call.method == "POST" and call.path.startswith("/topics/"):
            topic = call.path.removeprefix("/topics/")
            self.sent.append((topic, call.body))
            if call.query.get("retain") == "true":
                self.retained[topic] = call.body


@contextmanager
def opened(front: Front, folder: Path, **settings: str) -> Iterator[Account]:
    """What Terraform and `veilcast control init-aws` make."""
    account, cloud = Account(front, folder), front.cloud
    front.rules += [account.stream_keys, account._published]
    iot = cloud.client("iot")
    if POLICY not in [one["policyName"] for one in iot.list_policies()["policies"]]:
        iot.create_policy(policyName=POLICY, policyDocument=json.dumps({"Statement": []}))
    told = {
        "fleet": FLEET, "table": cloud.table(), "iot_policy": POLICY,
        "iot_endpoint": "iot.example", "models_bucket": cloud.bucket(),
        "models_url": "https://models.example", "uploads_bucket": cloud.bucket(),
        "url": "https://api.example", "secrets": f"veilcast/{folder.name}", "ingest": "ivs",
        **settings,
    }  # fmt: skip
    named = {f"VEILCAST_AWS_{name.upper()}": value for name, value in told.items()}
    account.environment = cloud.environment | named
    with mock.patch.dict(os.environ, account.environment):
        account.cold()
        account.token = begin(folder).token or ""
        yield account
        for one in cloud.client("ivs").list_channels()["channels"]:
            cloud.client("ivs").delete_channel(arn=one["arn"])
    account.cold()
