"""The repository's metadata files: the state that the newest timestamp names, and the next one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from cloud_control.errors import ModelsError
from cloud_control.tuf.files import Files

T = TypeVar("T", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True, slots=True)
class State:
    """All metadata of one moment."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    timestamp: Metadata[Timestamp]


class Shelf:
    """Metadata as devices fetch them.

    What the timestamp does not lead to is not there: it was left by a run that was interrupted, and
    is overwritten by the next one. Only a root counts as soon as it lies there.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    @property
    def exists(self) -> bool:
        return self._files.exists(_path("timestamp"))

    def read(self) -> State:
        """The state in force. Raises ModelsError when a part is missing or damaged."""
        timestamp = self._read("timestamp", None, Timestamp)
        snapshot = self._read("snapshot", timestamp.signed.snapshot_meta.version, Snapshot)
        targets = self._read("targets", snapshot.signed.meta["targets.json"].version, Targets)
        return State(self.newest_root(), targets, snapshot, timestamp)

    def newest_root(self) -> Metadata[Root]:
        """The last of the roots, which are numbered without a gap."""
        version = 1
        while self._files.exists(_path("root", version + 1)):
            version += 1
        return self._read("root", version, Root)

    def root_bytes(self) -> bytes:
        """The newest root as it is served: what a device is given when it is enrolled."""
        return self._files.read(_path("root", self.newest_root().signed.version))

    def write(self, state: State, before: State) -> None:
        """Put what differs from the state before into force, its root excepted; the timestamp goes
        last."""
        if state.targets is not before.targets:
            self._write(state.targets, state.targets.signed.version)
        if state.snapshot is not before.snapshot:
            self._write(state.snapshot, state.snapshot.signed.version)
        self._write(state.timestamp, None)

    def write_root(self, root: Metadata[Root]) -> None:
        """Devices follow a new root as soon as it is there."""
        self._write(root, root.signed.version)

    def free(self, role: str, version: int) -> int:
        """The first version of a role's metadata, from this one on, that may be written."""
        return self._files.free("metadata/", version, f".{role}.json")

    def _read(self, role: str, version: int | None, kind: type[T]) -> Metadata[T]:
        path = _path(role, version)
        try:
            found = Metadata[T].from_bytes(self._files.read(path))
        except (OSError, DeserializationError, RepositoryError, ValueError):
            found = None
        if found is None or not isinstance(found.signed, kind):
            raise ModelsError(
                f"{self._files}/{path} is missing or damaged; restore it from a backup, or run "
                "`veilcast models init` if there is no repository yet."
            )
        return found

    def _write(self, part: Metadata[T], version: int | None) -> None:
        self._files.write(_path(part.signed.type, version), part.to_bytes())


def _path(role: str, version: int | None = None) -> str:
    prefix = "" if version is None else f"{version}."
    return f"metadata/{prefix}{role}.json"


def with_root(state: State, root: Metadata[Root]) -> State:
    """The same state below another root."""
    return replace(state, root=root)
