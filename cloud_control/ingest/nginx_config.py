"""What nginx with its RTMP module is told: written anew at each start, never edited."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from cloud_control.errors import IngestError
from cloud_control.ingest.hooks import OUT, UPDATE_S
from cloud_control.ingest.playlist import EARLY, WINDOW
from cloud_control.ingest.port import APP, Options

MODULES = (
    Path("/usr/lib/nginx/modules/ngx_rtmp_module.so"),
    Path("/usr/lib64/nginx/modules/ngx_rtmp_module.so"),
)


def nginx_config(options: Options, folder: Path, hook: str) -> str:
    """folder: for nginx's own files. hook: the address of the control plane's hook for nginx.

    Two applications. The first asks and passes on under the public id, which the second cuts into
    HLS: so no key ever names a folder or a playlist. Errors are logged from "crit" on, because the
    RTMP module writes stream names, which may be keys, into its lesser ones.
    """
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(options.host, options.host)
    host = f"[{options.host}]" if ":" in options.host else options.host
    user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
    record = (
        f"""
            record all;
            record_path {options.recordings};
            record_suffix -%Y-%m-%dT%H-%M-%S.flv;
            record_unique on;"""
        if options.record
        else ""
    )
    return f"""\
# Written by the control plane at each start: changes here are lost.
load_module {_module()};
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
rtmp {{
    access_log off;
    server {{
        listen {host}:{options.port};
        chunk_size 4096;
        max_message 8M;
        timeout 15s;
        notify_method post;
        application {APP} {{
            live on;
            wait_key on;
            idle_streams off;
            drop_idle_publisher 10s;
            deny play all;
            on_publish {hook};
            on_publish_done {hook};
            on_update {hook};
            notify_update_timeout {int(UPDATE_S * 1000)}ms;
            push_reconnect 1s;
        }}
        application {OUT} {{
            live on;
            wait_key on;
            idle_streams off;
            allow publish {here.strip("[]")};
            deny publish all;
            on_publish {hook};
            on_play {hook};
            hls on;
            hls_path {options.hls};
            hls_nested on;
            hls_fragment {int(options.segment_s * EARLY * 1000)}ms;
            hls_playlist_length {int(options.segment_s * WINDOW * 1000)}ms;
            hls_fragment_naming system;
            hls_cleanup off;{record}
        }}
    }}
}}
"""


def relay_address(options: Options) -> str:
    """Where the first application finds the second."""
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(options.host, options.host)
    return f"rtmp://{here}:{options.port}/{OUT}"


def _module() -> Path:
    for path in MODULES:
        if path.exists():
            return path
    raise IngestError(
        "nginx's RTMP module is not installed: `apt install nginx-core libnginx-mod-rtmp`, or "
        "choose `--ingest embedded`."
    )
