"""Mosquitto as a child of the control plane: configured from the contract, restarted if it ends."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import psutil
import structlog

from cloud_control.adapters.broker import MAX_TOPIC_AND_HEADER, MAX_WAITING_BYTES, BrokerFiles
from cloud_control.errors import BrokerError
from cloud_control.pki import CONTROL
from fleet_contract.strict_json import MAX_PAYLOAD
from fleet_contract.topics import ROOT, agent_reads, agent_writes

START_SECONDS = 20.0
STOP_SECONDS = 10.0
ENOUGH_ANSWERS = 4  # one after the other, 0.05 s apart
LONGEST_PAUSE = 30.0  # seconds between two restarts
STEADY_SECONDS = 60.0  # a run of this length ends the backing off
MAX_WAITING_MESSAGES = 50_000

log = structlog.get_logger()


class Mosquitto:
    """A broker process with all its files below `folder`; retained messages outlive it."""

    def __init__(self, folder: Path, files: BrokerFiles, host: str, port: int) -> None:
        self._folder = folder
        self._files = files
        self._host, self._port = host, port
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._watcher = threading.Thread(target=self._watch, name="mosquitto", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process that serves now."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        program = _program()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._end_leftover()
        _refuse_taken_port(self._host, self._port)
        if self._log_file.exists():
            self._log_file.replace(self._log_file.with_suffix(".former.log"))
        (self._folder / "grants.acl").write_text(grants_file())
        (self._folder / "mosquitto.conf").write_text(self._configuration())
        self._process = self._launch(program)
        self._await_listening()
        self._watcher.start()

    def stop(self) -> None:
        self._ending.set()
        with self._lock:
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._watcher.is_alive():
            self._watcher.join()

    def reload(self) -> None:
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGHUP)

    def _launch(self, program: str) -> subprocess.Popen[bytes]:
        with self._log_file.open("ab") as output:
            process = subprocess.Popen(
                [program, "-c", str(self._folder / "mosquitto.conf")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: it goes down after the bus, not before
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
            if time.monotonic() - began > STEADY_SECONDS:
                pause = 0.0
            log.warning("the broker ended and is started again", status=status, pause=pause)
            if self._ending.wait(pause):
                return
            pause = min(LONGEST_PAUSE, max(0.5, 2 * pause))
            with self._lock:
                if not self._ending.is_set():
                    self._process = self._launch(_program())

    def _await_listening(self) -> None:
        process = self._process
        assert process is not None, "launched before it is waited for"
        deadline = time.monotonic() + START_SECONDS
        answers = 0  # it listens before it reads all that its listener needs, and may yet end
        while answers < ENOUGH_ANSWERS:
            answers = answers + 1 if _answers(self._host, self._port) else 0
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise BrokerError(
                    "Mosquitto did not start; the end of "
                    f"{self._log_file} says: {self._last_words()}"
                )
            time.sleep(0.05)

    def _last_words(self) -> str:
        lines = self._log_file.read_text(errors="replace").splitlines()
        return " / ".join(lines[-2:]) or "nothing"

    def _end_leftover(self) -> None:
        """One from a control plane that was killed still holds the port and the store."""
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int(self._pid_file.read_text()))
            if str(self._folder / "mosquitto.conf") in process.cmdline():
                process.terminate()
                process.wait(STOP_SECONDS)

    @property
    def _log_file(self) -> Path:
        return self._folder / "mosquitto.log"

    @property
    def _pid_file(self) -> Path:
        return self._folder / "mosquitto.pid"

    def _configuration(self) -> str:
        files = self._files
        return f"""\
# Written by `veilcast control serve` at each start: changes here are lost.
user {getpass.getuser()}
listener {self._port} {self._host}
socket_domain {"ipv6" if ":" in self._host else "ipv4"}
cafile {files.authority}
crlfile {files.revoked}
certfile {files.certificate}
keyfile {files.key}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {self._folder / "grants.acl"}
message_size_limit {MAX_PAYLOAD}
max_packet_size {MAX_PAYLOAD + MAX_TOPIC_AND_HEADER}
max_inflight_messages 1000
max_queued_messages {MAX_WAITING_MESSAGES}
max_queued_bytes {MAX_WAITING_BYTES}
persistent_client_expiration 1d
persistence true
persistence_location {self._folder}/
autosave_interval 30
set_tcp_nodelay true
connection_messages false
log_dest stdout
log_type error
log_type warning
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""


def grants_file() -> str:
    """Mosquitto's list of grants; %u is the name in the client's certificate.

    A foreign filter is not refused when it is subscribed to: nothing is ever delivered to it.
    """
    named = ("f", "a")
    lines = [f"user {CONTROL}", f"topic readwrite {ROOT}/#", ""]
    for word, granted in (("read", agent_reads(*named)), ("write", agent_writes(*named))):
        lines += [f"pattern {word} {g.filter.replace('/f/a/', '/%u/')}" for g in granted]
    return "\n".join(lines) + "\n"


def _program() -> str:
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which("mosquitto", path=places)
    if found is None:
        raise BrokerError(
            "Mosquitto is not installed: `apt install mosquitto`, or choose `--broker embedded`."
        )
    return found


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as problem:
            raise BrokerError(
                f"The broker cannot listen on {host}:{port} ({problem.strerror}); "
                "end what uses it or choose another --broker-port."
            ) from None


def _answers(host: str, port: int) -> bool:
    there = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        socket.create_connection((there, port), timeout=1).close()
    except OSError:
        return False
    return True
