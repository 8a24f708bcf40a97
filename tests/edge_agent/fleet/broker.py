"""A real Mosquitto: TLS with client certificates, and each agent kept to its own topics."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from fleet_contract.topics import ROOT
from tests.edge_agent.fleet.authority import Authority
from tests.edge_agent.fleet.patience import wait_until

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="needs mosquitto: apt-get install mosquitto"
)

_CONFIG = """
user {user}
persistence false
log_dest stderr
per_listener_settings false
listener {port} 127.0.0.1
cafile {folder}/ca.crt
certfile {folder}/localhost.crt
keyfile {folder}/localhost.key
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/acl
max_packet_size 140000
"""
_ACL = f"""
pattern read {ROOT}/%u/desired
pattern read {ROOT}/%u/cmd/+
pattern readwrite {ROOT}/%u/status
pattern write {ROOT}/%u/reported
pattern write {ROOT}/%u/streams/+/state
pattern write {ROOT}/%u/telemetry
pattern write {ROOT}/%u/ack/+

user control
topic readwrite {ROOT}/#
"""


class Broker:
    """Listens on a port of its own from `start` on; `kill` is sudden and forgets all messages."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder, self.authority = folder, authority
        authority.issue(folder, "localhost", server=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        (folder / "acl").write_text(_ACL)
        (folder / "mosquitto.conf").write_text(
            _CONFIG.format(port=self.port, folder=folder, user=getpass.getuser())
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")], stderr=log, stdout=log
            )
        wait_until(self._listens, "the broker listens")

    def freeze(self) -> None:
        """It answers nothing any more, but its connections stand."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process:  # also a frozen one
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
