"""Uploads to a plain server: in order, verified, deleted only against a receipt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.errors import SpoolError, UploadError
from edge_agent.media.backoff import Backoff
from edge_agent.spool.segment import State
from edge_agent.spool.store import Store, folders_in
from edge_agent.spool.writer import SpoolWriter
from edge_agent.upload.desk import PlainDesk
from edge_agent.upload.throttle import Throttle
from edge_agent.upload.transfer import NO_RECEIPT
from edge_agent.upload.uploader import Tally, Uploader, held
from tests.edge_agent.media_tools import free_port
from tests.edge_agent.spool.coded import FPS, key_file, segments, spool, ticks
from tests.edge_agent.spool.shelf import Receipt, Shelf
from tests.edge_agent.spool.test_segments import film
from tests.faults.command import finish, start, wait_until


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    server = Shelf()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff of the tests' own process is short."""
    monkeypatch.setattr(Backoff, "next", lambda _: 0.01)


def drain(root: Path, url: str, token: str | None = None) -> Tally:
    return Uploader(lambda: folders_in(root), PlainDesk(url, token)).drain(threading.Event())


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("receipt", ["md5", "sha256", "json"])
@pytest.mark.parametrize("sealed", [False, True])
def test_segments_arrive_whole_and_in_order_and_are_deleted(
    tmp_path: Path, shelf: Shelf, receipt: Receipt, sealed: bool
) -> None:
    shelf.receipt = receipt
    folder = tmp_path / "cam-1"
    film(spool(folder, key_file(tmp_path) if sealed else None), 20.0)
    names = [segment.name for segment in segments(folder)]
    tally = drain(tmp_path, shelf.url, "secret")
    assert (tally.sent, tally.refused) == (4, None)
    assert shelf.order == [f"/in/cam-1/{name}" for name in names]
    assert [tick for data in shelf.got.values() for tick in ticks(data)] == list(range(20 * FPS))
    assert shelf.headers[0]["Authorization"] == "Bearer secret"
    assert segments(folder) == []
    assert files(folder) == []


def test_no_stream_waits_for_all_of_another(tmp_path: Path, shelf: Shelf) -> None:
    for name in ("a", "b"):
        film(spool(tmp_path / name), 14.0)
    drain(tmp_path, shelf.url)
    assert [path.split("/")[2] for path in shelf.order] == ["a", "b"] * 3


@pytest.mark.parametrize("status", [408, 409, 422, 429, 500, 503, 507])
def test_what_may_pass_is_tried_again(tmp_path: Path, shelf: Shelf, status: int) -> None:
    film(spool(tmp_path), 6.0)
    shelf.refuse = [status] * 3
    assert drain(tmp_path, shelf.url).sent == 1
    assert len(shelf.order) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_refused_segment_stays_and_holds_up_no_other(
    tmp_path: Path, shelf: Shelf, status: int
) -> None:
    film(spool(tmp_path), 12.0)
    first, _ = segments(tmp_path)
    shelf.refuse = [status]
    tally = drain(tmp_path, shelf.url)
    assert tally.sent == 1
    assert tally.refused is not None
    assert str(status) in tally.refused[first.name]
    assert [segment.name for segment in segments(tmp_path, State.UPLOADING)] == [first.name]
    assert drain(tmp_path, shelf.url).sent == 1


@pytest.mark.parametrize("receipt", ["none", "wrong"])
def test_without_the_right_receipt_nothing_is_deleted(
    tmp_path: Path, shelf: Shelf, receipt: Receipt
) -> None:
    film(spool(tmp_path), 6.0)
    shelf.receipt = receipt
    uploader, tally = Uploader(lambda: [tmp_path], PlainDesk(shelf.url)), Tally()
    if receipt == "wrong":
        with pytest.raises(UploadError, match="checksum differs"):
            uploader.round(tally)
    else:
        uploader.round(tally)
        assert list((tally.refused or {}).values()) == [NO_RECEIPT]
    assert len(files(tmp_path)) == 1
    shelf.receipt = "md5"
    assert drain(tmp_path, shelf.url).sent == 1


def test_a_broken_connection_is_made_again(tmp_path: Path, shelf: Shelf) -> None:
    film(spool(tmp_path), 6.0)
    shelf.cut_after = 20_000
    assert drain(tmp_path, shelf.url).sent == 1


def test_nothing_that_was_tampered_with_leaves(tmp_path: Path, shelf: Shelf) -> None:
    film(spool(tmp_path, key_file(tmp_path)), 18.0)
    names = [tmp_path / segment.file for segment in segments(tmp_path)]
    swapped = names[1].read_bytes()
    names[0].write_bytes(swapped)
    names[1].write_bytes(swapped[:-1])
    assert drain(tmp_path, shelf.url).sent == 1
    assert [path.rsplit("/", 1)[1] for path in shelf.got] == [names[2].stem]
    assert len(segments(tmp_path, State.DAMAGED)) == 2


def test_a_strangers_file_in_the_folder_is_never_uploaded(tmp_path: Path, shelf: Shelf) -> None:
    film(spool(tmp_path), 6.0)
    (tmp_path / "20261123T000000.000Z-aaaaaa.ts").write_bytes(b"bare video")
    (tmp_path / "holiday.mp4").write_bytes(b"bare video")
    drain(tmp_path, shelf.url)
    assert len(shelf.got) == 1
    assert b"bare" not in b"".join(shelf.got.values())


def test_a_token_is_not_sent_in_the_clear() -> None:
    with pytest.raises(UploadError, match="use https"):
        PlainDesk("http://store.example/in", "secret")
    PlainDesk("http://store.example/in")
    PlainDesk("https://store.example/in", "secret")


def test_a_missing_key_stops_before_anything_leaves(tmp_path: Path, shelf: Shelf) -> None:
    key = key_file(tmp_path)
    film(spool(tmp_path / "cam", key), 6.0)
    key.unlink()
    with pytest.raises(SpoolError, match="cannot read the key"):
        drain(tmp_path, shelf.url)
    key_file(tmp_path, "cd")
    with pytest.raises(SpoolError, match="another key"):
        Uploader(
            lambda: folders_in(tmp_path), PlainDesk(shelf.url), key_file=tmp_path / "cd.key"
        ).drain(threading.Event())
    assert shelf.got == {}


def test_an_upload_goes_on_while_its_stream_is_live(tmp_path: Path, shelf: Shelf) -> None:
    film(spool(tmp_path), 6.0)
    writer = SpoolWriter(spool(tmp_path))
    draft = writer.begin(0)
    assert drain(tmp_path, shelf.url).sent == 1
    draft.write(b"x" * 188)
    writer.commit(draft, first_ms=0, last_ms=1)
    writer.close()
    assert drain(tmp_path, shelf.url).sent == 1


def test_two_uploaders_do_not_meet(tmp_path: Path, shelf: Shelf) -> None:
    film(spool(tmp_path), 6.0)
    with held(tmp_path, None):
        assert drain(tmp_path, shelf.url).sent == 0
    assert drain(tmp_path, shelf.url).sent == 1


def test_what_was_acknowledged_before_a_crash_is_deleted_after_it(
    tmp_path: Path, shelf: Shelf
) -> None:
    film(spool(tmp_path), 6.0)
    (segment,) = segments(tmp_path)
    store = Store(tmp_path)
    store.index.put(type(segment)(segment.number, segment.name, State.ACKNOWLEDGED))
    store.close()
    assert drain(tmp_path, shelf.url).sent == 0
    assert files(tmp_path) == []


def test_a_rate_is_kept() -> None:
    now = [0.0]
    throttle = Throttle(
        800_000, clock=lambda: now[0], sleep=lambda left: now.__setitem__(0, now[0] + left)
    )
    sent = 0
    while sent < 1_000_000:
        throttle.wait(throttle.piece)
        sent += throttle.piece
    assert 9.0 < now[0] < 11.0
    assert throttle.piece < 30_000


@pytest.mark.parametrize(
    "wrong", ["ftp://host/x", "host/x", "http://", "https://u:p@host/x", "https://host/x?sig=1"]
)
def test_what_is_no_folder_of_the_web_is_refused_without_quoting_it(wrong: str) -> None:
    with pytest.raises(UploadError) as caught:
        PlainDesk(wrong)
    assert wrong not in str(caught.value)


def test_a_killed_upload_is_done_again_and_nothing_is_lost(tmp_path: Path, shelf: Shelf) -> None:
    folder = tmp_path / "cam-1"
    film(spool(folder), 30.0)
    total = len(segments(folder))
    process = start("upload", folder, "--to", shelf.url, "--limit", "200k")
    wait_until(lambda: len(shelf.got) >= 1 and shelf.received > 70_000, "a segment under way")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 0 < len(segments(folder)) < total
    done = finish(start("upload", folder, "--to", shelf.url, "--json"))
    assert done.returncode == 0, done.stderr
    assert segments(folder) == []
    assert [tick for data in shelf.got.values() for tick in ticks(data)] == list(range(30 * FPS))


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    film(spool(tmp_path), 6.0)
    port = free_port()
    uploader = Uploader(lambda: [tmp_path], PlainDesk(f"http://127.0.0.1:{port}"))
    with pytest.raises(UploadError, match="nothing answers"):
        uploader.round(Tally())
    stop = threading.Event()
    thread = threading.Thread(target=uploader.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert len(segments(tmp_path, State.SEALED, State.UPLOADING)) == 1


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    done = finish(start("upload", tmp_path, "--to", "https://store.example/in"))
    assert done.returncode == UploadError.exit_code
    assert "listed for upload" in done.stderr
