"""An account of AWS in one process: moto's server, the functions, and Mosquitto as IoT Core.

python -m tests.fleet.aws_account FOLDER serves until SIGTERM; FOLDER/account.json says where. What
IoT Core, API Gateway, EventBridge and CloudFront do between the functions is done here: rules hand
each message to a function, in any order; HTTPS becomes events; a minute lasts a second.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import ssl
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from cloud_control.adapters.broker import BrokerFiles
from cloud_control.adapters.mosquitto import Mosquitto
from cloud_control.adapters.mqtt import MqttBus
from cloud_control.aws_start import begin
from cloud_control.domain.access import digest_of
from cloud_control.lambdas import messages, plane, schedule
from cloud_control.pki import Authority
from fleet_contract.topics import Address
from tests.cloud_control.aws.account import invoked
from tests.cloud_control.aws.front import Front, fronted
from tests.cloud_control.aws.iot_core import Certificates, Topics
from tests.cloud_control.aws.moto_server import Cloud, running_moto
from tests.cloud_control.brokers import HOST, free_port, wait_until

FLEET, POLICY = "acme", "veilcast-acme-device"
MINUTE_S = 1.0
INVOCATIONS = 4
"""Messages that are handled at once, in whatever order they end."""


@dataclass
class IotCore:
    """Mosquitto with the retained messages, and the calls that reach it."""

    bus: MqttBus
    authority: Authority
    certificates: Certificates

    def expects(self, body: bytes) -> None:
        """A device is about to enrol."""
        digest = digest_of(json.loads(body)["token"])
        claims = plane.parts().plane.enrolment.claims()
        self.certificates.name = next(one.agent or "" for one in claims if one.digest == digest)


class Gateway(BaseHTTPRequestHandler):
    """API Gateway, and CloudFront before the bucket of the models."""

    protocol_version = "HTTP/1.1"
    core: IotCore
    s3: Any
    bucket: str

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path)
        if path.path.startswith("/models/"):
            status, headers, content = self._model(path.path.removeprefix("/models/"))
        else:
            if path.path == "/v1/enrol":
                self.core.expects(body)
            told = invoked(self._event(path.path, path.query, body))
            status, headers, content = told["statusCode"], told["headers"], told["body"].encode()
            if told["isBase64Encoded"]:
                content = base64.b64decode(content)
        self.send_response(status)
        for name, value in headers.items():
            if name != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _model(self, path: str) -> tuple[int, dict[str, str], bytes]:
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=path)
        except self.s3.exceptions.NoSuchKey:
            return 403, {}, b""  # as CloudFront tells of what is not there
        return 200, {"Cache-Control": found["CacheControl"]}, found["Body"].read()

    def _event(self, path: str, query: str, body: bytes) -> dict[str, Any]:
        asked = {
            "method": self.command, "path": path, "protocol": "HTTP/1.1",
            "sourceIp": self.client_address[0], "userAgent": "device",
        }  # fmt: skip
        return {
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "requestContext": {
                "http": asked, "stage": "$default", "domainName": HOST, "requestId": "r",
            },
            "body": base64.b64encode(body).decode(), "isBase64Encoded": True,
        }  # fmt: skip

    def log_message(self, *_: object) -> None: ...


def deploy(front: Front, url: str, endpoint: str, authority: Authority) -> dict[str, str]:
    """What Terraform makes, and tells the functions."""
    cloud = front.cloud
    cloud.client("iot").create_policy(policyName=POLICY, policyDocument="{}")
    told = {
        "fleet": FLEET, "table": cloud.table(), "iot_policy": POLICY, "iot_endpoint": endpoint,
        "models_bucket": cloud.bucket(), "models_url": f"{url}/models", "url": url,
        "secrets": f"veilcast/{FLEET}", "authority": authority.certificate_file.read_text(),
    }  # fmt: skip
    named = {f"VEILCAST_AWS_{name.upper()}": value for name, value in told.items()}
    return cloud.environment | named


@contextmanager
def iot_core(folder: Path, moto: Cloud) -> Iterator[tuple[IotCore, int]]:
    authority, port = Authority(folder / "ca"), free_port()
    authority.create()
    certificate, key = authority.identify_server(["localhost", HOST])
    files = BrokerFiles(authority.certificate_file, authority.revoked_file, certificate, key)
    broker = Mosquitto(folder / "broker", files, HOST, port)
    broker.start()
    bus = MqttBus(HOST, port, authority.certificate_file, *authority.identify_control())
    try:
        yield IotCore(bus, authority, Certificates(authority, moto.client("iot"), FLEET)), port
    finally:
        bus.stop()
        broker.stop()


def hand_over(pool: ThreadPoolExecutor, address: Address, payload: bytes) -> None:
    """What the rules do: each message is an invocation."""
    event = {"topic": str(address), "payload": base64.b64encode(payload).decode()}
    pool.submit(complained, messages.handler, event)


def complained(function: Any, event: dict[str, Any]) -> None:
    try:
        for name in (function(event, None) or {}).get("failed", []):
            sys.stderr.write(f"failed in a minute's work: {name}\n")
    except Exception as problem:  # noqa: BLE001 (one invocation ends, as in Lambda)
        sys.stderr.write(f"an invocation failed: {problem!r}\n")


def main(folder: Path) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as stack:
        moto = stack.enter_context(running_moto())
        front = stack.enter_context(fronted(moto))
        core, port = stack.enter_context(iot_core(folder, moto))
        front.rules += [core.certificates, Topics(core.bus)]
        server = ThreadingHTTPServer((HOST, 0), Gateway)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*core.authority.identify_server(["localhost", HOST]))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://{HOST}:{server.server_address[1]}"
        environment = deploy(front, url, f"{HOST}:{port}", core.authority)
        stack.enter_context(mock.patch.dict(os.environ, environment))
        token = begin(folder).token
        Gateway.core, Gateway.s3 = core, front.cloud.client("s3")
        Gateway.bucket = environment["VEILCAST_AWS_MODELS_BUCKET"]
        pool = stack.enter_context(ThreadPoolExecutor(INVOCATIONS))
        core.bus.subscribe(lambda address, payload: hand_over(pool, address, payload))
        core.bus.start()
        stack.callback(core.bus.stop)
        wait_until(lambda: core.bus.connected, "the bridge is connected")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told = {
            "url": url, "token": token, "environment": environment,
            "authority": str(core.authority.certificate_file),
        }  # fmt: skip
        (folder / "account.new").write_text(json.dumps(told))
        (folder / "account.new").rename(folder / "account.json")
        while not ended.wait(MINUTE_S):
            complained(schedule.handler, {})
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
