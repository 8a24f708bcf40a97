"""What every store refuses alike."""

from __future__ import annotations

from collections.abc import Sequence

from cloud_control.errors import DataFolderError
from cloud_control.ports import MAX_CHANGES, Delete, Put


def checked(changes: Sequence[Put | Delete]) -> Sequence[Put | Delete]:
    """The changes themselves; raises ValueError when they are too many, name a document twice, or
    delete what is not there."""
    places = {(change.kind, change.key) for change in changes}
    if len(changes) > MAX_CHANGES or len(places) < len(changes):
        raise ValueError("a commit holds at most 100 changes of different documents")
    if any(isinstance(change, Delete) and change.expected < 1 for change in changes):
        raise ValueError("only what is there can be deleted")
    return changes


def not_empty(where: str) -> DataFolderError:
    """What is raised by `fill`."""
    return DataFolderError(f"{where} holds documents already; import into an empty one.")
