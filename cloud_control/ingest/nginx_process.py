"""nginx as a child: tested before it is started, and started again when it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import structlog

from cloud_control.errors import IngestError

START_SECONDS = 20.0
STOP_SECONDS = 10.0
LONGEST_PAUSE = 30.0  # seconds between two restarts
STEADY_SECONDS = 60.0  # a run of this length ends the backing off

log = structlog.get_logger()


class NginxProcess:
    """Runs with the configuration folder/nginx.conf, which must be there at `start`.

    where: what it listens at. on_end: called when it has ended by itself, before it is started
    again.
    """

    def __init__(self, folder: Path, where: tuple[str, int], on_end: Callable[[], None]) -> None:
        self._folder, self._where, self._on_end = folder, where, on_end
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._watcher = threading.Thread(target=self._watch, name="nginx", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process that serves now."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Raises IngestError when it refuses its configuration or its port is taken."""
        self._end_leftover()
        self._test()
        _refuse_taken_port(self._where)
        self._process = self._launch()
        self._await_listening(self._process)
        self._watcher.start()

    def stop(self) -> None:
        """End it and what it started. More than once."""
        self._ending.set()
        with self._lock:
            process = self._process
        if process is not None:
            _end(process)
        if self._watcher.is_alive():
            self._watcher.join()

    def _test(self) -> None:
        tested = subprocess.run(
            [*self._command(), "-t", "-q"], capture_output=True, text=True, check=False
        )
        if tested.returncode:
            words = tested.stderr.strip().splitlines()[:1]
            raise IngestError(f"nginx refuses its configuration: {' '.join(words)}")

    def _command(self) -> list[str]:
        places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
        found = shutil.which("nginx", path=places)
        if found is None:
            raise IngestError(
                "nginx is not installed: `apt install nginx-core libnginx-mod-rtmp`, or choose "
                "`--ingest embedded`."
            )
        configuration = str(self._folder / "nginx.conf")
        return [found, "-p", str(self._folder), "-c", configuration, "-e", "stderr"]

    def _launch(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us, and its workers can be ended with it
        )
        self._pid_file.write_text(str(process.pid))
        return process

    def _watch(self) -> None:
        pause = 0.0
        while not self._ending.is_set():
            process = self._process
            assert process is not None, "started before it is watched"
            began = time.monotonic()
            status = process.wait()
            if self._ending.is_set():
                return
            _end(process)
            self._on_end()
            if time.monotonic() - began > STEADY_SECONDS:
                pause = 0.0
            log.warning("nginx ended and is started again", status=status, pause=pause)
            if self._ending.wait(pause):
                return
            pause = min(LONGEST_PAUSE, max(0.5, 2 * pause))
            with self._lock:
                if not self._ending.is_set():
                    self._process = self._launch()

    def _await_listening(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self._where):
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise IngestError(f"nginx did not start; look at {self._folder / 'error.log'}")
            time.sleep(0.05)

    def _end_leftover(self) -> None:
        """One from a control plane that was killed still holds the port."""
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int(self._pid_file.read_text()))
            if any(str(self._folder / "nginx.conf") in word for word in process.cmdline()):
                process.terminate()
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                os.killpg(process.pid, signal.SIGKILL)  # it led a session of its own

    @property
    def _pid_file(self) -> Path:
        return self._folder / "child.pid"


def _end(process: subprocess.Popen[bytes]) -> None:
    """The master and its workers: workers outlive a master that was killed."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _refuse_taken_port(where: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(where)
        except OSError as problem:
            raise IngestError(
                f"The ingest cannot listen on {where[0]}:{where[1]} ({problem.strerror}); "
                "end what uses it or choose another --ingest-port."
            ) from None


def _answers(where: tuple[str, int]) -> bool:
    there = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(where[0], where[0])
    try:
        socket.create_connection((there, where[1]), timeout=1).close()
    except OSError:
        return False
    return True
