"""What any store of the control plane must do: every adapter passes these tests."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_control.adapters.memory.store import MemoryStore
from cloud_control.adapters.sqlite.store import MIGRATIONS, SqliteStore
from cloud_control.errors import ConflictError, DataFolderError
from cloud_control.ports import MAX_CHANGES, Delete, Put, Record, Store
from tests.cloud_control.aws.moto_server import Cloud

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)
THREADS, TURNS = 4, 25


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    if request.param == "dynamodb":
        yield request.getfixturevalue("cloud").store()
        return
    with closing(SqliteStore(tmp_path / "control.sqlite")) as made:
        yield made


def keys(found: object) -> list[str]:
    return [record.key for record in found]  # type: ignore[attr-defined]


def test_what_was_put_is_there_with_its_revision(store: Store) -> None:
    store.commit([Put("agent", "acme/van-7", '{"é": 1}', 0)])
    assert store.get("agent", "acme/van-7") == Record("agent", "acme/van-7", '{"é": 1}', 1)
    store.commit([Put("agent", "acme/van-7", "{}", 1)])
    assert store.get("agent", "acme/van-7") == Record("agent", "acme/van-7", "{}", 2)


def test_kinds_do_not_see_each_other(store: Store) -> None:
    store.commit([Put("agent", "a", "1", 0), Put("stream", "a", "2", 0)])
    store.commit([Delete("agent", "a", 1)])
    assert store.get("agent", "a") is None
    assert store.get("stream", "a") == Record("stream", "a", "2", 1)


def test_what_was_deleted_begins_anew(store: Store) -> None:
    store.commit([Put("agent", "a", "1", 0)])
    store.commit([Delete("agent", "a", 1)])
    store.commit([Put("agent", "a", "2", 0)])
    assert store.get("agent", "a") == Record("agent", "a", "2", 1)


@pytest.mark.parametrize(
    "late",
    [Put("agent", "a", "x", 0), Put("agent", "a", "x", 1), Delete("agent", "a", 1)],
    ids=["made twice", "changed twice", "deleted after a change"],
)
def test_a_revision_that_is_over_is_refused(store: Store, late: Put | Delete) -> None:
    store.commit([Put("agent", "a", "1", 0)])
    store.commit([Put("agent", "a", "2", 1)])
    with pytest.raises(ConflictError):
        store.commit([late])
    assert store.get("agent", "a") == Record("agent", "a", "2", 2)


@pytest.mark.parametrize("missing", [Put("agent", "a", "x", 1), Delete("agent", "a", 1)])
def test_what_is_not_there_cannot_be_changed(store: Store, missing: Put | Delete) -> None:
    with pytest.raises(ConflictError):
        store.commit([missing])
    assert store.get("agent", "a") is None


def test_a_commit_is_whole_or_nothing(store: Store) -> None:
    store.commit([Put("agent", "b", "1", 0), Put("agent", "c", "1", 0)])
    with pytest.raises(ConflictError):
        store.commit(
            [Put("agent", "a", "2", 0), Delete("agent", "b", 1), Put("agent", "c", "2", 7)]
        )
    assert [(one.key, one.value, one.revision) for one in store.list("agent")] == [
        ("b", "1", 1),
        ("c", "1", 1),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        [Put("agent", "a", "1", 0), Put("agent", "a", "2", 0)],
        [Put("agent", "a", "1", 0), Delete("agent", "a", 1)],
        [Delete("agent", "a", 0)],
        [Put("agent", f"{number}", "1", 0) for number in range(MAX_CHANGES + 1)],
    ],
    ids=["twice", "put and deleted", "deletes nothing", "too many"],
)
def test_a_commit_that_no_store_could_do_is_refused(
    store: Store, wrong: list[Put | Delete]
) -> None:
    with pytest.raises(ValueError, match=r"commit|deleted"):
        store.commit(wrong)
    assert keys(store.list("agent")) == []


def test_as_many_changes_as_are_allowed_fit(store: Store) -> None:
    store.commit([Put("agent", f"{number:03}", "1", 0) for number in range(MAX_CHANGES)])
    assert len(store.list("agent", limit=MAX_CHANGES + 1)) == MAX_CHANGES


def test_a_document_of_thousands_of_agents_fits(store: Store) -> None:
    told = [
        {"agent": f"van-{number}", "at_ms": number * 977, "wave": 1} for number in range(20_000)
    ]
    long = json.dumps(told)
    assert len(long) > 900_000
    store.commit([Put("rollout", "acme/1", "[]", 0)])
    store.commit([Put("rollout", "acme/1", long, 1)])
    assert store.get("rollout", "acme/1") == Record("rollout", "acme/1", long, 2)
    assert store.list("rollout") == [Record("rollout", "acme/1", long, 2)]
    store.commit([Put("rollout", "acme/1", "[]", 2)])
    assert store.get("rollout", "acme/1") == Record("rollout", "acme/1", "[]", 3)


def test_pages_follow_each_other_by_key(store: Store) -> None:
    names = ["acme/a", "acme/b", "acme/c", "acme2/a", "zoo/a"]
    store.commit([Put("stream", name, "1", 0) for name in reversed(names)])
    assert keys(store.list("stream")) == names
    assert keys(store.list("stream", "acme/")) == names[:3]
    assert keys(store.list("stream", "acme/", limit=2)) == names[:2]
    assert keys(store.list("stream", "acme/", after="acme/b")) == names[2:3]
    assert keys(store.list("stream", "acme/", after="acme/c")) == []
    assert keys(store.list("stream", "nobody/")) == []


@settings(max_examples=40, deadline=None)
@given(names=st.sets(KEYS, max_size=8), prefix=st.text("aé%_/", max_size=2), after=KEYS)
def test_any_text_is_a_key_in_the_same_order_everywhere(
    cloud: Cloud, names: set[str], prefix: str, after: str
) -> None:
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "file")) as sqlite:
        for store in (MemoryStore(), sqlite, cloud.store()):
            store.commit([Put("agent", prefix + name, "1", 0) for name in names])
            expected = sorted(prefix + name for name in names)
            assert keys(store.list("agent", prefix)) == expected
            assert keys(store.list("agent", prefix, prefix + after)) == [
                name for name in expected if name > prefix + after
            ]


def test_nobody_overwrites_what_another_thread_counted(store: Store) -> None:
    store.commit([Put("agent", "count", "0", 0)])

    def count() -> None:
        left = TURNS
        while left:
            there = store.get("agent", "count")
            assert there is not None
            try:
                more = str(int(there.value) + 1)
                store.commit([Put("agent", "count", more, there.revision)])
            except ConflictError:
                continue
            left -= 1

    threads = [threading.Thread(target=count) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = THREADS * TURNS
    assert store.get("agent", "count") == Record("agent", "count", str(total), total + 1)


def test_the_file_is_its_owners_and_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "control.sqlite"
    with closing(SqliteStore(path)) as store:
        store.commit([Put("agent", "a", "1", 0)])
        assert path.stat().st_mode & 0o777 == 0o600
    with closing(SqliteStore(path)) as store:
        assert store.get("agent", "a") == Record("agent", "a", "1", 1)


def test_two_processes_see_each_others_commits(tmp_path: Path) -> None:
    path = tmp_path / "control.sqlite"
    with closing(SqliteStore(path)) as one, closing(SqliteStore(path)) as other:
        one.commit([Put("agent", "a", "1", 0)])
        with pytest.raises(ConflictError):
            other.commit([Put("agent", "a", "2", 0)])
        other.commit([Put("agent", "a", "2", 1)])
        assert one.get("agent", "a") == Record("agent", "a", "2", 2)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sqlite"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {len(list(MIGRATIONS.glob('*.sql'))) + 1}")
    with pytest.raises(DataFolderError, match="newer version"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sqlite"
    path.write_text("my diary, not a database at all" * 100)
    with pytest.raises(DataFolderError, match="cannot be opened"):
        SqliteStore(path)
    assert path.read_text().startswith("my diary")
