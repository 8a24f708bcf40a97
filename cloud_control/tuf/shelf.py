"""The repository's metadata files: the state that the newest timestamp names, and the next one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from securesystemslib.exceptions import StorageError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from cloud_control.errors import ModelsError
from cloud_control.tuf.files import write_whole

T = TypeVar("T", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True, slots=True)
class State:
    """All metadata of one moment."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    timestamp: Metadata[Timestamp]


class Shelf:
    """Metadata below one folder, as devices fetch them.

    What the timestamp does not lead to is not there: it was left by a run that was interrupted, and
    is overwritten by the next one. Only a root counts as soon as it lies there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        return self._file("timestamp").is_file()

    def read(self) -> State:
        """The state in force. Raises ModelsError when a part is missing or damaged."""
        timestamp = self._read("timestamp", None, Timestamp)
        snapshot = self._read("snapshot", timestamp.signed.snapshot_meta.version, Snapshot)
        targets = self._read("targets", snapshot.signed.meta["targets.json"].version, Targets)
        return State(self.newest_root(), targets, snapshot, timestamp)

    def newest_root(self) -> Metadata[Root]:
        """The last of the roots, which are numbered without a gap."""
        version = 1
        while self._file("root", version + 1).is_file():
            version += 1
        return self._read("root", version, Root)

    def root_bytes(self) -> bytes:
        """The newest root as it is served: what a device is given when it is enrolled."""
        return self._file("root", self.newest_root().signed.version).read_bytes()

    def write(self, state: State) -> None:
        """Put a state into force, its root excepted; the timestamp goes last."""
        self._write(state.targets, state.targets.signed.version)
        self._write(state.snapshot, state.snapshot.signed.version)
        self._write(state.timestamp, None)

    def write_root(self, root: Metadata[Root]) -> None:
        """Devices follow a new root as soon as it is there."""
        self._write(root, root.signed.version)

    def _file(self, role: str, version: int | None = None) -> Path:
        prefix = "" if version is None else f"{version}."
        return self.folder / f"{prefix}{role}.json"

    def _read(self, role: str, version: int | None, kind: type[T]) -> Metadata[T]:
        path = self._file(role, version)
        try:
            found = Metadata[T].from_file(str(path))
        except (OSError, StorageError, DeserializationError, RepositoryError, ValueError):
            found = None
        if found is None or not isinstance(found.signed, kind):
            raise ModelsError(
                f"{path} is missing or damaged; restore it from a backup, or run "
                "`veilcast models init` if there is no repository yet."
            )
        return found

    def _write(self, part: Metadata[T], version: int | None) -> None:
        write_whole(self._file(part.signed.type, version), part.to_bytes())


def with_root(state: State, root: Metadata[Root]) -> State:
    """The same state below another root."""
    return replace(state, root=root)
