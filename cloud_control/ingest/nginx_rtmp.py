"""An ingest by nginx with its RTMP module (Debian: nginx-core, libnginx-mod-rtmp), as a child."""

from __future__ import annotations

import secrets
import socket
import threading

import uvicorn
from fastapi import FastAPI

from cloud_control.ingest.external import ExternalIngest
from cloud_control.ingest.hooks import PREFIX
from cloud_control.ingest.nginx_config import nginx_config, relay_address
from cloud_control.ingest.nginx_process import NginxProcess
from cloud_control.ingest.port import FrontDoor, MayPublish, OnEvent, Options, hls_path

LOOPBACK = "127.0.0.1"


class NginxIngest:
    """An `Ingest` that many watch at once by RTMP, too: rtmp://HOST/live-out/STREAM.

    nginx hangs up on who is refused, without saying why. It asks at a port of its own on loopback,
    with a secret that is made anew each time. door: see `hooks_router`.
    """

    def __init__(
        self,
        options: Options,
        may_publish: MayPublish,
        on_event: OnEvent,
        door: FrontDoor | None = None,
    ) -> None:
        self._options, self._folder = options, options.folder / "nginx"
        self._secret = secrets.token_urlsafe(24)
        self._told = ExternalIngest(
            options, may_publish, on_event, self._secret, relay_address(options), door
        )
        where = (options.host, options.port)
        self._nginx = NginxProcess(self._folder, where, self._told.forget)
        self._hooks: _Hooks | None = None

    @property
    def pid(self) -> int | None:
        """Of nginx's master process."""
        return self._nginx.pid

    def start(self) -> None:
        options = self._options
        for folder in (self._folder, options.hls, options.recordings):
            folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._hooks = _Hooks(self._told)
        hook = f"http://{LOOPBACK}:{self._hooks.port}{PREFIX}/nginx?secret={self._secret}"
        configuration = self._folder / "nginx.conf"
        configuration.touch(0o600)
        configuration.write_text(nginx_config(options, self._folder, hook))
        try:
            self._nginx.start()
        except BaseException:
            self._hooks.stop()
            raise
        self._told.start()

    def close(self) -> None:
        self._nginx.stop()
        self._told.forget()
        if self._hooks is not None:
            self._hooks.stop()
        self._told.close()

    def publishing(self) -> frozenset[str]:
        return self._told.publishing()

    def playback(self, stream: str) -> str:
        return hls_path(stream)

    def hang_up(self, stream: str) -> None:
        self._told.hang_up(stream)

    def end(self, stream: str) -> None:
        self._told.end(stream)


class _Hooks:
    """A small web server on loopback, in a thread."""

    def __init__(self, ingest: ExternalIngest) -> None:
        app = FastAPI(openapi_url=None)
        app.include_router(ingest.router)
        self._socket = socket.create_server((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off")
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="ingest hooks", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
