"""The device's folder: where its identity, state and models lie, and who may read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import FleetError

DEFAULT = Path("~/.local/share/veilcast/agent")


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one folder, which belongs to its owner alone (0700)."""

    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / "device.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "device.crt"

    @property
    def next_key(self) -> Path:
        return self.folder / "device.next.key"

    @property
    def next_certificate(self) -> Path:
        return self.folder / "device.next.crt"

    @property
    def ca(self) -> Path:
        """Certificates of the control plane's own authority."""
        return self.folder / "ca.crt"

    @property
    def details(self) -> Path:
        """Who this device is; written last when it is enrolled."""
        return self.folder / "agent.json"

    @property
    def root(self) -> Path:
        """Root of trust of the model repository."""
        return self.folder / "root.json"

    @property
    def state(self) -> Path:
        return self.folder / "state.sqlite"

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def settings(self) -> Path:
        """The owner's settings, written by hand."""
        return self.folder / "device.toml"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def create(self) -> None:
        """Make the folder, or close an existing one to others. Raises FleetError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as problem:
            raise FleetError(f"cannot use {self.folder}: {problem.strerror}") from problem

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one agent at a time works here; a second one gets a FleetError."""
        lock = self._lock()
        if lock is None:
            raise FleetError(f"an agent already runs on {self.folder}; stop it first")
        try:
            yield
        finally:
            os.close(lock)

    def in_use(self) -> bool:
        """Whether an agent runs here now."""
        lock = self._lock()
        if lock is not None:
            os.close(lock)
        return lock is None

    def _lock(self) -> int | None:
        """A descriptor that holds the lock until it is closed or its process dies, or None."""
        descriptor = os.open(self.folder / "agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: a service runs once anyway
            pass
        except OSError:
            os.close(descriptor)
            return None
        return descriptor


def home_at(folder: Path | None) -> Home:
    """The home in `folder`, or in the usual place; it need not exist."""
    return Home((folder or DEFAULT).expanduser())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read (0600), as a whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in it last through a loss of power."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
