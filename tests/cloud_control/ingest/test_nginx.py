"""nginx as a child: refused, killed, left over, and what it is told."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from cloud_control.errors import IngestError
from cloud_control.ingest.nginx_config import nginx_config
from cloud_control.ingest.nginx_process import NginxProcess
from cloud_control.ingest.nginx_rtmp import NginxIngest
from cloud_control.ingest.port import Granted, Kind, Options
from tests.cloud_control.ingest.ingests import (
    HOST,
    Place,
    free_port,
    needs_ffmpeg,
    needs_nginx,
    played,
    publishing,
    running,
    wait_until,
)

pytestmark = needs_nginx
HOOK = "http://127.0.0.1:9/v1/ingest/nginx?secret=x"


def process(folder: Path, options: Options) -> NginxProcess:
    """Of a configuration that is as good as the real one."""
    for needed in (folder, options.hls, options.recordings):
        needed.mkdir(parents=True, exist_ok=True)
    (folder / "nginx.conf").write_text(nginx_config(options, folder, HOOK))
    return NginxProcess(folder, (options.host, options.port), lambda: None)


def pid_of(place: Place) -> int | None:
    assert isinstance(place.ingest, NginxIngest)
    return place.ingest.pid


@needs_ffmpeg
def test_nginx_that_is_killed_comes_back_and_its_publishers_with_it(tmp_path: Path) -> None:
    with running("nginx", tmp_path) as place:
        with publishing(place, "killed"):
            place.await_event("killed", Kind.PLAYABLE)
            before = pid_of(place)
            assert before is not None
            os.kill(before, signal.SIGKILL)
            place.await_event("killed", Kind.PUBLISH_DONE)
        wait_until(lambda: pid_of(place) not in {None, before}, "another nginx")
        with publishing(place, "killed"):
            place.await_event("killed", Kind.PLAYABLE, 2)
            address = place.url("killed", app="live-out")
            shown, sounds = played(address, 5)
            assert len(shown) == 5
            assert sounds > 0


def test_one_that_was_left_over_is_ended_first(tmp_path: Path) -> None:
    options, folder = Options(tmp_path, host=HOST, port=free_port()), tmp_path / "nginx"
    nginx = process(folder, options)
    left = subprocess.Popen(
        ["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"],
        start_new_session=True,
    )
    (folder / "child.pid").write_text(str(left.pid))
    try:
        title = psutil.Process(left.pid).cmdline
        wait_until(lambda: "master" in title(), "the left-over one")
        nginx.start()
        assert left.wait(20) == 0
    finally:
        left.kill()
        left.wait()
    nginx.stop()
    nginx.stop()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        options = Options(tmp_path, host=HOST, port=taken.getsockname()[1])
        ingest = NginxIngest(options, lambda _: Granted("a"), lambda _: None)
        with pytest.raises(IngestError):
            ingest.start()
        ingest.close()


def test_a_configuration_that_nginx_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    options, folder = Options(tmp_path, host=HOST, port=free_port()), tmp_path / "nginx"
    nginx = process(folder, options)
    with (folder / "nginx.conf").open("a") as file:
        file.write("nonsense;\n")
    with pytest.raises(IngestError, match=r'unknown directive "nonsense"'):
        nginx.start()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_nginx_takes_the_configuration_with_recordings(tmp_path: Path, host: str) -> None:
    options = Options(tmp_path, host=host, port=free_port(), record=True)
    nginx = process(tmp_path / "nginx", options)
    nginx.start()
    nginx.stop()


def test_nothing_is_kept_or_played_of_what_is_not_let_in_yet(tmp_path: Path) -> None:
    """A phone's raw video comes by the first application, on its way to the agent."""
    options = Options(tmp_path, host=HOST, port=free_port(), record=True)
    config = nginx_config(options, tmp_path, "http://127.0.0.1:1/")
    asking, _, playing = config.partition("application live-out {")
    assert "application live {" in asking
    for way_out in ("record", "hls", "exec", "dash"):
        assert way_out not in asking
    assert "deny play all;" in asking
    assert "record all;" in playing


def test_the_secret_of_the_hooks_is_for_the_owner_alone(tmp_path: Path) -> None:
    options = Options(tmp_path, host=HOST, port=free_port())
    ingest = NginxIngest(options, lambda _: Granted("a"), lambda _: None)
    ingest.start()
    ingest.close()
    folder = tmp_path / "nginx"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "nginx.conf").stat().st_mode) == 0o600
