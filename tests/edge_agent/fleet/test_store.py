"""The agent's memory: whole after any death, and never behind what was done."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.errors import FleetError
from edge_agent.fleet.protection import Consent
from edge_agent.fleet.store import Store
from fleet_contract.protection import Protection

ID = "a-command-of-some-kind"

# In one child after the other: take a second document into force, a connection number, a command
# and its answer, and die before the statement with the child's number. Prints who came through.
DYING = """
import os, signal, sys
from pathlib import Path
from edge_agent.fleet.store import Store
from fleet_contract.protection import Protection

def work(file, left):
    def count(_):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    store = Store(file)
    store.trace(count)
    store.apply(b"second", ("x",), {"b": Protection(hold=2.0), "c": Protection(hold=3.0)},
                {"b": False, "c": True})
    store.take_connection(500)
    store.accept("a-command-of-some-kind", "stop", 900, 800)
    store.set_running("b", True)
    store.answer("a-command-of-some-kind", b"done", final=True)
    store.close()

for number, file in enumerate(sys.argv[1:]):
    child = os.fork()
    if child == 0:
        work(Path(file), number)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
STATEMENTS = 40  # more than there are


def first_document(file: Path) -> None:
    store = Store(file)
    store.apply(b"first", (), {"a": Protection(hold=1.0), "b": Protection(hold=1.0)},
                {"a": True, "b": False})  # fmt: skip
    store.take_connection(100)
    store.close()


def test_kill_9_before_any_statement_leaves_the_old_or_the_new_but_never_half(
    tmp_path: Path,
) -> None:
    files = [tmp_path / f"{number}.sqlite" for number in range(STATEMENTS)]
    for file in files:
        first_document(file)
    script = [sys.executable, "-c", DYING, *map(str, files)]
    ended = subprocess.run(script, capture_output=True, text=True, check=True).stdout.split()
    assert set(ended) == {str(-signal.SIGKILL), "0"}
    assert ended[-1] == "0"
    seen = {standing(file) for file in files}
    assert seen == {
        ("first", 100, "unknown", False),
        ("second", 100, "unknown", False),
        ("second", 500, "unknown", False),
        ("second", 500, "accepted", False),
        ("second", 500, "accepted", True),
        ("second", 500, "done", True),
    }


def standing(file: Path) -> tuple[str, int, str, bool]:
    """Which document is in force, as a whole; the connection number; the command; its effect."""
    store = Store(file)
    streams = store.streams()
    listed = {name: known.running for name, known in streams.items() if known.listed}
    document = store.desired()
    assert document is not None
    if document[0] == b"first":
        assert listed == {"a": True, "b": False}
        assert streams["b"].base.hold == 1.0
        assert "c" not in streams
    else:
        assert document == (b"second", ("x",))
        assert listed.keys() == {"b", "c"}
        assert (streams["b"].base.hold, streams["c"].base.hold) == (2.0, 3.0)
        assert streams["a"].running is None
        assert streams["a"].base.hold == 1.0  # remembered
    answer = store.answer_to(ID)
    command = "unknown" if ID not in store.seen() else "done" if answer else "accepted"
    number = store.take_connection(0) - 1
    store.close()
    return document[0].decode(), number, command, bool(listed.get("b"))


def test_connection_numbers_only_grow(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    assert store.take_connection(1000) == 1000
    assert store.take_connection(500) == 1001  # the clock went back
    store.saw_connection(5000)
    store.saw_connection(20)
    store.close()
    again = Store(tmp_path / "state.sqlite")
    assert again.take_connection(1) == 5001
    again.close()


def test_an_id_is_forgotten_only_once_it_has_expired_and_the_clock_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    store.accept(ID, "stop", expires_at=1000, now_ms=900)
    assert store.answer(ID, b"1", final=True)
    assert not store.answer(ID, b"2", final=True)
    store.accept("another-command-id", "stop", expires_at=2000, now_ms=999)
    assert ID in store.seen()
    store.accept("yet-another-command", "stop", expires_at=2000, now_ms=1000)
    assert ID not in store.seen()
    assert store.highest_time() == 1000
    store.close()


def test_a_consent_given_by_another_process_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    other = Store(tmp_path / "state.sqlite")
    assert not store.changed_elsewhere()
    other.give(Consent("a", "mosaic", Protection(mosaic=False), 1000))
    assert store.changed_elsewhere()
    assert not store.changed_elsewhere()
    assert [each.path for each in store.consents(999)] == ["mosaic"]
    assert store.consents(1000) == ()
    store.close()
    other.close()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(tmp_path / "state.sqlite")
        store.apply(b"holds keys", (), {}, {})
    finally:
        os.umask(before)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    store.close()


def test_a_file_of_a_newer_version_or_no_database_is_refused_in_one_sentence(
    tmp_path: Path,
) -> None:
    file = tmp_path / "state.sqlite"
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(FleetError, match="newer version"):
        Store(file)
    (tmp_path / "text").write_text("this is no database, whatever its name may say" * 20)
    with pytest.raises(FleetError, match="cannot use"):
        Store(tmp_path / "text")
