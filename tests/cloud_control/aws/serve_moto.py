"""moto's server, one request after the other: python -m tests.cloud_control.aws.serve_moto PORT.

By itself it answers several at once, and then two transactions or two conditional writes can both
succeed that exclude each other, which AWS never lets happen.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

HOST = "127.0.0.1"


class InTurn:
    """An application that is asked by one thread at a time."""

    def __init__(self, app: Any) -> None:
        self._app, self._lock = app, threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._app(environ, start))


def main(port: int) -> None:
    default_user_config["iot"] = {"use_valid_cert": True}  # its id is its fingerprint, as on AWS
    app = InTurn(DomainDispatcherApplication(create_backend_app))
    run_simple(HOST, port, app, threaded=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
