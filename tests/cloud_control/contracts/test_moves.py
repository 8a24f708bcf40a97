"""Documents move from any store to any other, through a file, with nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.adapters.sqlite.store import SqliteStore
from cloud_control.errors import DataFolderError
from cloud_control.ports import Delete, Put, Record, WholeStore
from cloud_control.transfer import export, fill

FLEET = "acme"
KINDS = ["memory", "sqlite", "dynamodb"]


def made(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[WholeStore]:
    if kind == "memory":
        yield MemoryStore()
    elif kind == "dynamodb":
        yield request.getfixturevalue("cloud").store()
    else:
        with closing(SqliteStore(folder / f"{kind}-{id(request)}.sqlite")) as store:
            yield store


@pytest.fixture(params=KINDS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WholeStore]:
    (tmp_path / "old").mkdir()
    yield from made(request.param, tmp_path / "old", request)


@pytest.fixture(params=KINDS)
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WholeStore]:
    (tmp_path / "new").mkdir()
    yield from made(request.param, tmp_path / "new", request)


def everything(store: WholeStore) -> set[Record]:
    return set(store.every())


def furnish(store: WholeStore) -> set[Record]:
    """Documents of several kinds, changed and removed, and notes that stay behind."""
    store.commit([Put("agent", f"{FLEET}/van-{number}", "{}", 0) for number in range(60)])
    store.commit([Put("stream", f"{FLEET}/é-{number}", '{"t": "a\\nb"}', 0) for number in range(5)])
    store.commit([Put("agent", f"{FLEET}/van-7", '{"n": 2}', 1), Delete("stream", "acme/é-1", 1)])
    store.commit([Put("_standing", "acme/van-7/status", "{}", 0)])
    return everything(store)


def test_nothing_is_lost_from_one_to_the_other_and_back(
    old: WholeStore, new: WholeStore, tmp_path: Path
) -> None:
    there = furnish(old)
    assert len(there) == 64
    assert Record("agent", "acme/van-7", '{"n": 2}', 2) in there
    assert export(old, tmp_path / "file") == 64
    assert fill(new, tmp_path / "file", FLEET) == 64
    assert everything(new) == there
    export(new, tmp_path / "back")
    again = MemoryStore()
    fill(again, tmp_path / "back", FLEET)
    assert everything(again) == there
    new.commit([Put("agent", "acme/van-7", "{}", 2)])  # revisions go on


def test_a_store_that_has_something_is_left_alone(new: WholeStore, tmp_path: Path) -> None:
    export(MemoryStore(), tmp_path / "file")
    new.commit([Put("agent", "acme/van-1", "1", 0)])
    with pytest.raises(DataFolderError, match="empty"):
        fill(new, tmp_path / "file", FLEET)
    assert everything(new) == {Record("agent", "acme/van-1", "1", 1)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    store = MemoryStore()
    furnish(store)
    export(store, tmp_path / "file")
    return tmp_path / "file"


def test_an_export_is_its_owners_and_whole_or_not_there(file: Path, tmp_path: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600

    class Broken(MemoryStore):
        def every(self) -> Iterator[Record]:
            yield Record("agent", "acme/a", "1", 1)
            raise OSError("gone")

    before = file.read_bytes()
    with pytest.raises(OSError, match="gone"):
        export(Broken(), file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("damage", ["cut", "changed", "more", "twice", "empty", "diary"])
def test_a_damaged_file_is_refused_before_anything_is_done(file: Path, damage: str) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text(
        {
            "cut": "".join(lines[:-5]),
            "changed": "".join(lines).replace("van-9", "van-8"),
            "more": "".join([*lines, lines[1]]),
            "twice": "".join([*lines[:-1], lines[1], lines[-1]]),
            "empty": "",
            "diary": "Dear diary\n",
        }[damage]
    )
    store = MemoryStore()
    with pytest.raises(DataFolderError, match="damaged"):
        fill(store, file, FLEET)
    assert everything(store) == set()


def test_another_fleets_documents_are_refused(file: Path) -> None:
    with pytest.raises(DataFolderError, match="not of the fleet zoo"):
        fill(MemoryStore(), file, "zoo")
