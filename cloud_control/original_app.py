"""The original app's contract on a port of its own, and the thread that frees ids."""

from __future__ import annotations

import threading

import structlog

from cloud_control.api.original_app import create_original_app
from cloud_control.service.original_app import OriginalApp
from cloud_control.web_server import WebServer

TICK_S = 1.0

log = structlog.get_logger()


class OriginalAppServer:
    """Takes its port when it is made; raises ServeError if another program has it."""

    def __init__(self, service: OriginalApp, host: str, port: int) -> None:
        self._service = service
        self._web = WebServer(host, port, "--original-app-port")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="original app", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._web.serve(create_original_app(self._service), None)

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._web.close()

    def _run(self) -> None:
        while not self._closing.wait(TICK_S):
            try:
                self._service.tick()
            except Exception as problem:
                log.exception("ids of the original app are stuck", error=type(problem).__name__)
