"""Where one machine's control plane keeps everything, and what was settled when it was made."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_control.adapters.broker import BrokerFiles
from cloud_control.errors import DataFolderError
from cloud_control.pki import Authority, write_private
from cloud_control.tuf.repository import ModelRepository, RepositoryKeys
from fleet_contract.fields import Id

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Settled(BaseModel):
    """`host`: the name or address by which devices reach this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fleet: Id
    host: str = Field(pattern=r"^[A-Za-z0-9.:-]+$", min_length=1, max_length=253)


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below one folder, which belongs to its owner alone (0700)."""

    path: Path

    @property
    def authority(self) -> Authority:
        return Authority(self.path / "ca")

    @property
    def models(self) -> ModelRepository:
        keys = self.path / "keys"
        return ModelRepository(
            self.path / "models", RepositoryKeys(keys / "online", [keys / "root"])
        )

    @property
    def database(self) -> Path:
        return self.path / "control.sqlite"

    @property
    def broker(self) -> Path:
        return self.path / "broker"

    @property
    def uploads(self) -> Path:
        return self.path / "uploads"

    @property
    def ingest(self) -> Path:
        return self.path / "ingest"

    @property
    def made(self) -> bool:
        return self._settled_file.exists()

    def make(self, settled: Settled) -> None:
        """Authority, certificates and model repository. Done again after a failure, it goes on.

        The folder counts as made once `settle` was called.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        self.authority.create()
        self.broker_files(settled)
        self.authority.identify_control()
        if not self.models.shelf.exists:
            self.models.create()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one control plane at a time works here; a second one gets a DataFolderError."""
        with (self.path / "serve.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DataFolderError(
                    f"A control plane runs on {self.path} already; stop it first."
                ) from None
            yield

    def settle(self, settled: Settled) -> None:
        write_private(self._settled_file, settled.model_dump_json(indent=2).encode())

    def settled(self) -> Settled:
        """What was settled; raises DataFolderError where `veilcast control init` did not run."""
        try:
            return Settled.model_validate_json(self._settled_file.read_bytes())
        except FileNotFoundError:
            raise DataFolderError(
                f"{self.path} holds no control plane; "
                f"run `veilcast control init --data {self.path}`."
            ) from None
        except (OSError, ValidationError):
            raise DataFolderError(
                f"{self._settled_file} cannot be read; restore it from a backup."
            ) from None

    def broker_files(self, settled: Settled) -> BrokerFiles:
        """The servers' certificate, made anew when it is about to end."""
        authority = self.authority
        hosts = list(dict.fromkeys([settled.host, *LOCAL_HOSTS]))
        certificate, key = authority.identify_server(hosts)
        return BrokerFiles(authority.certificate_file, authority.revoked_file, certificate, key)

    @property
    def _settled_file(self) -> Path:
        return self.path / "control.json"
