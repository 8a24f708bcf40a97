"""The model repository: publish, promote and revoke models, keep it fresh, change its keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Key,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from cloud_control.errors import ModelsError
from cloud_control.tuf.files import Files, LocalFiles
from cloud_control.tuf.keys import KeyFolder
from cloud_control.tuf.model_files import ModelFiles
from cloud_control.tuf.shelf import Shelf, State, with_root
from cloud_control.tuf.signing import (
    ONLINE,
    ROOT,
    TARGETS,
    expiry,
    is_due,
    is_signed,
    new_root,
    renewed,
    sign,
)
from fleet_contract.wanted_model import WantedModel, is_newer, model_at

CHANNELS = ("canary", "stable")
DAYS: Mapping[str, int] = {"root": 365, "targets": 90, "snapshot": 30, "timestamp": 7}

_CUSTOM = "custom"
_NEWEST = "x-veilcast-newest"  # by name: no version is ever used twice, not even after revoking

T = TypeVar("T", Targets, Snapshot)


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model that devices may install. `size` is that of all its files, in bytes."""

    wanted: WantedModel
    channel: str
    size: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RepositoryKeys:
    """Where private keys lie. `root` is a list of folders that may be elsewhere and away; held:
    keys that lie in no folder."""

    online: Path
    root: Sequence[Path] = ()
    held: Sequence[CryptoSigner] = ()

    def signers(self) -> list[CryptoSigner]:
        """All keys that can be read now."""
        online = [signer for role in ONLINE for signer in KeyFolder(self.online).of_role(role)]
        online += self.held
        return online + [one for folder in self.root for one in KeyFolder(folder).of_role(ROOT)]


@dataclass(frozen=True, slots=True)
class ModelRepository:
    """Static files in a folder or elsewhere: `metadata` and `targets` are what devices fetch.

    A change becomes visible with its new timestamp, as a whole or not at all, whenever the program
    dies. Changes of two programs follow one another; where no lock can keep them apart, the later
    one raises OvertakenError, see `persistently`.
    """

    place: Path | Files
    keys: RepositoryKeys
    files: Files = field(init=False)
    shelf: Shelf = field(init=False)

    def __post_init__(self) -> None:
        files = LocalFiles(self.place) if isinstance(self.place, Path) else self.place
        object.__setattr__(self, "files", files)
        object.__setattr__(self, "shelf", Shelf(files))

    @property
    def folder(self) -> Path:
        """Of a repository that is in one."""
        assert isinstance(self.place, Path), "this one is in no folder"
        return self.place

    def create(
        self, *, days: Mapping[str, int] = DAYS, root_keys: int = 1, threshold: int = 1
    ) -> None:
        """Make keys and an empty repository; `days` is the life of a signature by role.

        `threshold` of the `root_keys` must sign a new root. Raises ModelsError if there is one.
        """
        if not 1 <= threshold <= root_keys:
            raise ModelsError("The threshold lies between 1 and the number of root keys.")
        with self._alone(creating=True):
            if self.shelf.exists:
                raise ModelsError(f"There is a model repository in {self.files} already.")
            root = new_root(days)
            for role in ONLINE:
                root.add_key(self._first_keys(KeyFolder(self.keys.online), role, 1)[0], role)
            for key in self._first_keys(KeyFolder(self.keys.root[0]), ROOT, root_keys):
                root.add_key(key, ROOT)
            root.roles[ROOT].threshold = threshold
            root.expires = expiry(root, ROOT)
            signed = sign(Metadata(root), [root], self.keys.signers())
            targets, snapshot, timestamp = Targets(), Snapshot(), Timestamp()
            targets.version = snapshot.version = timestamp.version = 0  # the first to be seen is 1
            empty = State(signed, Metadata(targets), Metadata(snapshot), Metadata(timestamp))
            self.shelf.write_root(signed)
            self._put(empty, targets)

    def models(self) -> list[PublishedModel]:
        """What is published, by name, newest first."""
        targets = self.shelf.read().targets.signed.targets
        found = [
            _published(path, targets)
            for path, file in targets.items()
            if _CUSTOM in file.unrecognized_fields
        ]
        return sorted(found, key=lambda one: (one.wanted.name, _descending(one.wanted.version)))

    def publish(self, model: ModelFiles, channel: str = "canary") -> PublishedModel:
        """Sign a model and let devices see it.

        Raises ModelsError for a version that is not newer than all that were ever published.
        """
        wanted = model_at(model.name, model.version)
        with self._alone():
            state = self.shelf.read()
            targets = deepcopy(state.targets.signed)
            newest = targets.unrecognized_fields.setdefault(_NEWEST, {})
            last = newest.get(model.name)
            if last is not None and not is_newer(model.version, last):
                raise ModelsError(
                    f"{model.name} {model.version} is not newer than {last}, the last version "
                    "that was published; give it a higher one."
                )
            newest[model.name] = model.version
            for name, content in model.contents.items():
                file = TargetFile.from_data(f"{model.name}/{model.version}/{name}", content)
                if file.path == wanted.target:
                    file.unrecognized_fields[_CUSTOM] = {"channel": channel}
                targets.targets[file.path] = file
                self.files.write(f"targets/{file.get_prefixed_paths()[0]}", content)
            self._put(state, targets)
            return _published(wanted.target, targets.targets)

    def promote(self, name: str, version: str, channel: str = "stable") -> None:
        """Move a model to another channel; its files stay as they are."""
        with self._alone():
            state = self.shelf.read()
            targets = deepcopy(state.targets.signed)
            card = targets.targets[self._known(targets, name, version).target]
            card.unrecognized_fields[_CUSTOM] = {"channel": channel}
            self._put(state, targets)

    def revoke(self, name: str, version: str) -> None:
        """Take a model away: no device installs it from now on. Its version stays used."""
        with self._alone():
            state = self.shelf.read()
            targets = deepcopy(state.targets.signed)
            self._known(targets, name, version)
            for path in [path for path in targets.targets if path.startswith(f"{name}/{version}/")]:
                del targets.targets[path]
            self._put(state, targets)

    def refresh(self) -> dict[str, datetime]:
        """Renew the timestamp, and whatever else has lost half of its life; returns all expiries.

        To be called at least once in half the timestamp's life. The root is renewed only if its
        keys are here.
        """
        with self._alone():
            state = self.shelf.read()
            if is_due(state.root.signed, state.root) and self._can_sign(state.root.signed, ROOT):
                state = with_root(state, self._next_root(state.root, state.root.signed))
            state = self._put(state)
        parts = (state.root, state.targets, state.snapshot, state.timestamp)
        return {part.signed.type: part.signed.expires for part in parts}

    def rotate(self, role: str) -> None:
        """Replace the role's keys by new ones; needs the root keys, of which enough must be here.

        Devices notice nothing: what is online is signed by old and new key before the root changes
        hands. An old key that is lost is no hindrance.
        """
        with self._alone():
            state = self.shelf.read()
            old, root = state.root.signed, deepcopy(state.root.signed)
            if not self._can_sign(old, ROOT):
                raise ModelsError(
                    f"A change of keys needs {old.roles[ROOT].threshold} of the root keys; "
                    "name their folders with --root-keys."
                )
            folder = KeyFolder(self.keys.root[0] if role == ROOT else self.keys.online)
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
                root.add_key(folder.make(role).public_key, role)
            if role != ROOT and self._can_sign(old, role):
                state = self._put(state, next_root=root, again=role)
            state = with_root(state, self._next_root(state.root, root))
            self._put(state)
            for place in self.keys.root if role == ROOT else [self.keys.online]:
                KeyFolder(place).drop_others(role, root.roles[role].keyids)

    def _put(
        self,
        state: State,
        targets: Targets | None = None,
        *,
        next_root: Root | None = None,
        again: str | None = None,
    ) -> State:
        """Sign what changed, what is due and what rests on it, for the present root (and the next),
        and put it into force."""
        root = state.root.signed
        roots = [root] if next_root is None else [root, next_root]
        signers = self.keys.signers()
        new_targets = state.targets
        due = is_due(root, state.targets) and (  # where its key is away, another program renews it
            self._can_sign(root, TARGETS) or not is_signed(root, state.targets)
        )
        if targets is not None or again == TARGETS or due:
            changed = state.targets if targets is None else Metadata(targets)
            new_targets = sign(self._next(changed, root), roots, signers)
        new_snapshot = state.snapshot
        if new_targets is not state.targets or again == "snapshot" or is_due(root, state.snapshot):
            new_snapshot = self._next(state.snapshot, root)
            new_snapshot.signed.meta["targets.json"] = _meta(new_targets)
            new_snapshot = sign(new_snapshot, roots, signers)
        timestamp = renewed(state.timestamp, root)
        timestamp.signed.snapshot_meta = _meta(new_snapshot)
        timestamp = sign(timestamp, roots, signers)
        put = State(state.root, new_targets, new_snapshot, timestamp)
        self.shelf.write(put, state)
        self._sweep(new_targets.signed)
        return put

    def _next(self, part: Metadata[T], root: Root) -> Metadata[T]:
        """A new version to be signed. Versions may be left out: a program that was overtaken has
        used some."""
        fresh = renewed(part, root)
        fresh.signed.version = self.shelf.free(fresh.signed.type, fresh.signed.version)
        return fresh

    def _next_root(self, old: Metadata[Root], root: Root) -> Metadata[Root]:
        """Sign a new root by the old root's keys and its own, and publish it."""
        fresh = sign(renewed(Metadata(root), root), [old.signed, root], self.keys.signers())
        self.shelf.write_root(fresh)
        return fresh

    def _sweep(self, targets: Targets) -> None:
        """Remove files that no target names: of revoked models and of interrupted runs."""
        named = {path for file in targets.targets.values() for path in file.get_prefixed_paths()}
        self.files.sweep("targets", named)

    def _known(self, targets: Targets, name: str, version: str) -> WantedModel:
        for path in targets.targets:
            if path.startswith(f"{name}/{version}/"):
                return model_at(name, version)
        raise ModelsError(f"{name} {version} is not published; see `veilcast models list`.")

    def _can_sign(self, root: Root, role: str) -> bool:
        here = {signer.public_key.keyid for signer in self.keys.signers()}
        return len(here & set(root.roles[role].keyids)) >= root.roles[role].threshold

    def _first_keys(self, folder: KeyFolder, role: str, count: int) -> list[Key]:
        """Public keys; those left by an interrupted run are used."""
        signers = folder.of_role(role)[:count]
        signers += [folder.make(role) for _ in range(count - len(signers))]
        return [signer.public_key for signer in signers]

    def _alone(self, *, creating: bool = False) -> AbstractContextManager[None]:
        if not creating and not self.shelf.exists:
            raise ModelsError(
                f"There is no model repository in {self.files}; run `veilcast models init`."
            )
        return self.files.alone(creating=creating)


def _meta(part: Metadata[Targets] | Metadata[Snapshot]) -> MetaFile:
    """Version, length and hash: nothing else can be put in its place."""
    content = part.to_bytes()
    return MetaFile(
        part.signed.version, len(content), {"sha256": hashlib.sha256(content).hexdigest()}
    )


def _published(card: str, targets: Mapping[str, TargetFile]) -> PublishedModel:
    name, version, _ = card.split("/")
    files = {path: file for path, file in targets.items() if path.startswith(f"{name}/{version}/")}
    return PublishedModel(
        model_at(name, version),
        files[card].unrecognized_fields[_CUSTOM]["channel"],
        sum(file.length for file in files.values()),
        tuple(sorted(path.rpartition("/")[2] for path in files)),
    )


def _descending(version: str) -> tuple[int, ...]:
    return tuple(-int(part) for part in version.split("."))
