"""Documents in a file, to move a control plane from one store to another: JSON, one a line.

The file holds secrets. Its last line says how many documents came before, and their checksum: a
file that was cut off or changed is noticed before anything is done with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from cloud_control.errors import DataFolderError
from cloud_control.ports import Record, WholeStore

FORMAT = 1
OF_A_FLEET = frozenset({"fleet", "agent", "stream"})


def export(store: WholeStore, path: Path) -> int:
    """Write all documents; how many they are is returned. The file is whole or not there."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    count, digest = 0, hashlib.sha256()
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps({"veilcast_export": FORMAT}) + "\n")
            for record in store.every():
                line = json.dumps(asdict(record))
                digest.update(line.encode())
                file.write(line + "\n")
                count += 1
            file.write(json.dumps({"documents": count, "sha256": digest.hexdigest()}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return count


def fill(store: WholeStore, path: Path, fleet: str) -> int:
    """Put the documents of a file into the empty store of a fleet; how many they are is returned.

    Raises DataFolderError for a file that is damaged or another fleet's, and for a store that is
    not empty.
    """
    count = 0
    for record in _read(path):  # to its end, before anything is done
        count += 1
        if record.kind in OF_A_FLEET and record.key.partition("/")[0] != fleet:
            raise DataFolderError(f"{path} is not of the fleet {fleet}, but of another.")
    store.fill(_read(path))
    return count


def _read(path: Path) -> Iterator[Record]:
    count, digest = 0, hashlib.sha256()
    damaged = DataFolderError(f"{path} is no export, or was damaged; export it again.")
    try:
        with path.open(encoding="utf-8") as file:
            if json.loads(next(file, "null")) != {"veilcast_export": FORMAT}:
                raise damaged
            for line in file:
                found = json.loads(line)
                if "documents" in found:
                    whole = found == {"documents": count, "sha256": digest.hexdigest()}
                    if not whole or next(file, ""):
                        raise damaged
                    return
                digest.update(line.rstrip("\n").encode())
                count += 1
                yield Record(**found)
    except (ValueError, TypeError):
        raise damaged from None
    raise damaged
