"""Domain objects in the store: typed, by kind, changed only if nobody else did meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from cloud_control.errors import ConflictError, DataFolderError, NotFoundError
from cloud_control.ports import Delete, Put, Record, Store

PAGE = 500
ATTEMPTS = 10

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """A value as it stood at a revision."""

    key: str
    value: T
    revision: int


class Shelf(Generic[T]):
    """All documents of one kind."""

    def __init__(self, store: Store, kind: str, form: type[T]) -> None:
        self._store, self.kind = store, kind
        self._form = TypeAdapter(form)

    def get(self, key: str) -> Held[T] | None:
        record = self._store.get(self.kind, key)
        return self._read(record) if record else None

    def need(self, key: str) -> Held[T]:
        """Raises NotFoundError."""
        held = self.get(key)
        if held is None:
            raise NotFoundError(f"there is no {self.kind} {key}")
        return held

    def page(self, prefix: str = "", after: str = "", limit: int = 100) -> list[Held[T]]:
        return [self._read(one) for one in self._store.list(self.kind, prefix, after, limit)]

    def every(self, prefix: str = "") -> Iterator[T]:
        """All values whose keys begin with `prefix`, by key."""
        for page in self.pages(prefix):
            yield from page

    def pages(self, prefix: str = "") -> Iterator[list[T]]:
        """The same, some hundred at a time."""
        after = ""
        while found := self._store.list(self.kind, prefix, after, PAGE):
            yield [self._read(record).value for record in found]
            after = found[-1].key

    def put(self, key: str, value: T, revision: int = 0) -> Put:
        """The change that writes a value over the one of that revision; 0: it is new."""
        return Put(self.kind, key, self._form.dump_json(value).decode(), revision)

    def delete(self, key: str, revision: int) -> Delete:
        return Delete(self.kind, key, revision)

    def _read(self, record: Record) -> Held[T]:
        try:
            value = self._form.validate_json(record.value)
        except ValidationError as problem:
            raise DataFolderError(
                f"{record.kind} {record.key} in the database cannot be read "
                f"({problem.error_count()} faults); restore a backup, or run the newer version "
                "that wrote it"
            ) from None
        return Held(record.key, value, record.revision)


def retried(work: Callable[[], R]) -> R:
    """Do it again while somebody else was quicker. Raises the last ConflictError."""
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except ConflictError:
            continue
    return work()
