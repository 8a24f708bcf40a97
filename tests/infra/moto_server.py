"""AWS as moto plays it, over HTTP. Run as a program: PORT."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from urllib.error import URLError

READY_S = 40


@contextlib.contextmanager
def aws() -> Iterator[str]:
    """Where a fresh AWS is, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "tests.infra.moto_server", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait(endpoint, server)
            yield endpoint
        finally:
            server.kill()


def _wait(endpoint: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(URLError, OSError):
            urllib.request.urlopen(f"{endpoint}/moto-api/data.json", timeout=5).close()
            return
        time.sleep(0.2)
    raise AssertionError("moto's server did not start")


def _main() -> None:
    from moto.core.config import default_user_config
    from moto.iot.responses import IoTResponse
    from moto.s3.models import FakeDeleteMarker
    from moto.server import main

    # moto fails when asked for tags of IoT's parts, and Terraform's provider asks again and again.
    IoTResponse.list_tags_for_resource = lambda _: '{"tags": []}'
    # It stumbles over marks of deletion when all versions of an object are deleted.
    FakeDeleteMarker.dispose = lambda *_, **__: None
    default_user_config["iot"] = {
        "use_valid_cert": True
    }  # its id is its fingerprint, as in IoT Core
    main(["-p", sys.argv[1]])


if __name__ == "__main__":
    _main()
