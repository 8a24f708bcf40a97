"""The API's server on a thread of its own, so that signals and the end belong to the main one."""

from __future__ import annotations

import logging
import signal
import socket
import threading

import structlog
import uvicorn
from fastapi import FastAPI

from cloud_control.adapters.broker import BrokerFiles
from cloud_control.errors import ControlError, ServeError
from cloud_control.tuf.repository import ModelRepository

REFRESH_SECONDS = 3600.0
GRACE_SECONDS = 3  # for answers under way; listeners to events never end by themselves

log = structlog.get_logger()


class WebServer:
    """Takes its port when it is made; raises ServeError if another program has it. option: by which
    the port is chosen."""

    def __init__(self, host: str, port: int, option: str = "--port") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=2048)
        except OSError as problem:
            raise ServeError(
                f"The API cannot listen on {host}:{port} ({problem.strerror}); "
                f"end what uses it or choose another {option}."
            ) from None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def serve(self, app: FastAPI, identity: BrokerFiles | None) -> None:
        """Answer requests from now on; over TLS with `identity`."""
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=identity.certificate if identity else None,
            ssl_keyfile=identity.key if identity else None,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="api", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(4 * GRACE_SECONDS)
        self._socket.close()


class Freshener:
    """Renews the model repository's short-lived signatures, as long as the control plane runs."""

    def __init__(self, models: ModelRepository) -> None:
        self._models = models
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._models.refresh()
            except (ControlError, OSError) as problem:
                log.error(
                    "models cannot be kept fresh: devices come to distrust them", why=str(problem)
                )
            self._closing.wait(REFRESH_SECONDS)


def until_signalled(web: WebServer) -> None:
    """Wait for Ctrl-C or SIGTERM, or for the server's own end."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    while web.alive and not asked.wait(1.0):
        pass
