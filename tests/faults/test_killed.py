"""SIGKILL in mid-work: what lies on the disk shows protected pictures only, under no final name."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from edge_agent.cli import INTERRUPTED
from tests.faults.command import finish, redact, start, wait_until
from tests.faults.links import Receiver
from tests.faults.street import assert_plate_hidden, lumas, shows_scene, write_street

ENOUGH = 60_000  # bytes on the disk before the kill


@pytest.fixture(scope="module")
def long_street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute, so that a kill comes in the middle."""
    return write_street(tmp_path_factory.mktemp("long") / "street.mkv", 30.0)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for outputs; all temporary files go beside it, where they can be seen."""
    for name in ("out", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return tmp_path / "out"


def written(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def run_arguments(source: Path, *sinks: str | Path) -> list[str | Path]:
    outputs = [part for sink in sinks for part in ("--sink", sink)]
    return ["run", "--source", source, "--loop", *outputs, "--port", "0", "--preset", "ultrafast"]


def test_a_killed_redact_leaves_only_protected_pictures_in_its_part(
    long_street: Path, workplace: Path
) -> None:
    process = start("redact", long_street, workplace / "safe.mkv")
    wait_until(lambda: written(workplace) > ENOUGH, "output on the disk")
    kill(process)
    assert [path.name for path in workplace.iterdir()] == ["safe.mkv.part"]
    assert written(workplace.parent / "tmp") == 0
    pictures = list(lumas(workplace / "safe.mkv.part"))
    assert 10 < len(pictures) < 700
    assert_plate_hidden(pictures)
    assert any(shows_scene(luma) for luma in pictures)


def test_an_interrupted_redact_leaves_nothing(long_street: Path, workplace: Path) -> None:
    process = start("redact", long_street, workplace / "safe.mp4")
    wait_until(lambda: written(workplace) > ENOUGH, "output on the disk")
    process.send_signal(signal.SIGINT)
    assert finish(process).returncode == INTERRUPTED
    assert list(workplace.iterdir()) == []


def test_a_folder_goes_on_where_a_kill_stopped_it(street: Path, workplace: Path) -> None:
    folder = workplace.parent / "in"
    folder.mkdir()
    (folder / "a.mp4").hardlink_to(street)
    write_street(folder / "b.mp4", 20.0)
    process = start("redact", folder, workplace)
    wait_until((workplace / "b.mp4.part").exists, "work on the second file")
    kill(process)
    finished = (workplace / "a.mp4").stat().st_mtime_ns
    assert not (workplace / "b.mp4").exists()
    write_street(folder / "b.mp4", 1.0)
    assert redact(folder, workplace).returncode == 0
    assert sorted(path.name for path in workplace.iterdir()) == ["a.mp4", "b.mp4"]
    assert (workplace / "a.mp4").stat().st_mtime_ns == finished
    assert_plate_hidden(list(lumas(workplace / "b.mp4")))


@pytest.mark.parametrize("name", ["show.mkv", "show.mp4"])
def test_a_killed_run_leaves_only_protected_pictures(
    name: str, street: Path, workplace: Path
) -> None:
    process = start(*run_arguments(street, workplace / name))
    wait_until(lambda: written(workplace) > 2 * ENOUGH, "a recording on the disk")
    kill(process)
    assert [path.name for path in workplace.iterdir()] == [name + ".part"]
    assert written(workplace.parent / "tmp") == 0
    pictures = list(lumas(workplace / (name + ".part")))
    assert len(pictures) > 10
    assert_plate_hidden(pictures)
    assert any(shows_scene(luma) for luma in pictures)


def test_a_killed_run_leaves_no_process_behind(street: Path, workplace: Path) -> None:
    receiver = Receiver(workplace)
    process = start(*run_arguments(street, receiver.url))
    wait_until(lambda: receiver.connections >= 1, "a connection")
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    kill(process)
    wait_until(lambda: not any(child.is_running() for child in children), "the children's end")
    receiver.close()


def test_a_killed_pusher_is_replaced_and_nothing_bare_was_sent(
    street: Path, workplace: Path
) -> None:
    receiver = Receiver(workplace)
    record = workplace / "record.mkv"
    process = start(*run_arguments(street, receiver.url, record), "--json")
    for connection in (1, 2, 3):
        wait_until(lambda at=connection: receiver.received(at) > ENOUGH, "data on a connection")
        if connection < 3:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
    process.send_signal(signal.SIGINT)
    done = finish(process)
    receiver.close()
    assert done.returncode == 0
    assert json.loads(done.stdout)["protected"] > 0
    shown = 0
    for sent in [*receiver.files, record]:
        pictures = list(lumas(sent))
        assert_plate_hidden(pictures)
        shown += sum(shows_scene(luma) for luma in pictures)
    assert shown > 50
