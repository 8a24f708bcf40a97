"""A device's spool and its control plane's door: resumed after a kill of either side."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
import psutil
import pytest
from fastapi import FastAPI, Header, HTTPException

from cloud_control.api.problems import explain
from cloud_control.api.uploads import tickets_router, uploads_router
from cloud_control.service.uploads import Tickets, Uploads
from edge_agent.errors import UploadError
from edge_agent.fleet.details import Broker, Details
from edge_agent.fleet.home import Home
from edge_agent.fleet.identity import make_key
from edge_agent.media.backoff import Backoff
from edge_agent.spool.stats import SpoolStats
from edge_agent.spool.store import Store, folders_in
from edge_agent.upload.enrolled import enrolled_uploader
from edge_agent.upload.forwarder import Forwarder
from edge_agent.upload.uploader import Tally
from tests.cloud_control.serving import serving
from tests.edge_agent.media_tools import free_port, wait_for_port
from tests.edge_agent.spool.coded import FPS, key_file, segments, spool, ticks
from tests.edge_agent.spool.test_segments import film
from tests.faults.command import finish, start, wait_until
from tests.faults.street import assert_plate_hidden, lumas, write_street


@dataclass(frozen=True)
class Van:
    fleet: str
    agent: str


def control_plane(uploads: Uploads | Tickets, key: bytes) -> FastAPI:
    """The door alone, for the one device whose key this is."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    public = load_pem_private_key(key, None).public_key()

    used: set[str] = set()

    def device(authorization: str = Header("")) -> Van:
        token = authorization.removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, public, ["ES256"], audience="veilcast-control")  # type: ignore[arg-type]
        except jwt.InvalidTokenError:
            raise HTTPException(401) from None
        if claims["jti"] in used:
            raise HTTPException(401)  # a token is good for one request
        used.add(claims["jti"])
        return Van(*claims["sub"].split("/"))

    app = FastAPI()
    explain(app)
    if isinstance(uploads, Uploads):
        app.include_router(uploads_router(uploads, device))
    else:
        app.include_router(tickets_router(uploads, device))
    return app


def enrolled(folder: Path, control: str) -> Home:
    """A home as enrolment leaves it behind."""
    home = Home(folder)
    home.create()
    make_key(home.key, "acme/van-7")
    details = Details(
        fleet="acme", agent="van-7", control=control, broker=Broker(host="localhost", port=8883),
        metadata_url=f"{control}/models/metadata", targets_url=f"{control}/models/targets",
    )  # fmt: skip
    home.details.write_text(details.model_dump_json())
    return home


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def home(tmp_path: Path, port: int) -> Home:
    return enrolled(tmp_path / "home", f"http://127.0.0.1:{port}")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the control plane keeps what this device's camera uploads."""
    return tmp_path / "uploads" / "acme" / "van-7" / "cam-1"


@pytest.fixture
def server(home: Home, tmp_path: Path, port: int) -> Iterator[None]:
    uploads = Uploads(tmp_path / "uploads", reserve=0)
    with serving(control_plane(uploads, home.key.read_bytes()), port):
        yield


def pictures(kept: Path) -> list[int]:
    return [tick for path in sorted(kept.glob("*.ts")) for tick in ticks(path)]


@pytest.mark.usefixtures("server")
def test_an_enrolled_device_uploads_its_spools(home: Home, kept: Path, tmp_path: Path) -> None:
    film(spool(home.spool / "cam-1", key_file(tmp_path)), 20.0)
    assert enrolled_uploader(home).drain(threading.Event()).sent == 4
    assert pictures(kept) == list(range(20 * FPS))
    assert segments(home.spool / "cam-1") == []


@pytest.mark.usefixtures("server")
def test_an_agents_forwarder_uploads_what_comes_and_counts_what_waits(
    home: Home, kept: Path
) -> None:
    home.settings.write_text("[upload]\nlimit = 100000000\n")
    folder = home.spool / "cam-1"
    film(spool(folder), 6.0)
    forwarder = Forwarder(home)
    wait_until(lambda: forwarder.stats().segments == 0, "the first upload")
    film(spool(folder), 6.0)
    wait_until(lambda: len(list(kept.glob("*.ts"))) == 2, "the second upload")
    wait_until(lambda: forwarder.stats().segments == 0, "its receipt")
    forwarder.close()
    assert forwarder.stats() == SpoolStats(0, 0, 0)


@pytest.mark.usefixtures("server")
def test_another_devices_key_opens_no_door(home: Home, kept: Path) -> None:
    film(spool(home.spool / "cam-1"), 6.0)
    home.key.unlink()
    make_key(home.key, "acme/van-7")
    tally = enrolled_uploader(home).drain(threading.Event())
    assert tally.refused is not None
    assert "401" in next(iter(tally.refused.values()))
    assert len(segments(home.spool / "cam-1")) == 1
    assert not kept.exists()


@pytest.mark.usefixtures("server")
def test_a_folder_whose_name_is_no_streams_is_refused_with_the_reason(home: Home) -> None:
    film(spool(home.spool / "Cam 1"), 6.0)
    tally = enrolled_uploader(home).drain(threading.Event())
    assert tally.refused is not None
    assert "name cannot be used" in next(iter(tally.refused.values()))


@pytest.mark.usefixtures("server")
def test_a_killed_upload_goes_on_where_it_broke_off(home: Home, kept: Path) -> None:
    folder = home.spool / "cam-1"
    film(spool(folder), 6.0)
    (segment,) = segments(folder)
    arguments = ["upload", folder, "--home", home.folder]
    process = start(*arguments, "--limit", "80k")

    def under_way() -> bool:
        return any(path.stat().st_size > 10_000 for path in kept.glob("*.part"))

    wait_until(under_way, "a part on the server")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    there = next(kept.glob("*.ts.part")).stat().st_size
    assert there < segment.size
    tally = enrolled_uploader(home).drain(threading.Event())
    assert (tally.sent, tally.bytes <= segment.size - there) == (1, True)
    assert pictures(kept) == list(range(6 * FPS))
    assert segments(folder) == []


SERVE = """
import sys
from pathlib import Path
import uvicorn
from cloud_control.service.uploads import Tickets, Uploads
from tests.fleet.test_spool_upload import control_plane
uploads = Uploads(Path(sys.argv[1]), reserve=0)
app = control_plane(uploads, Path(sys.argv[2]).read_bytes())
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_config=None)
"""


def test_a_killed_control_plane_is_waited_for(
    home: Home, kept: Path, tmp_path: Path, port: int
) -> None:
    folder = home.spool / "cam-1"
    film(spool(folder), 12.0)
    serve = [sys.executable, "-c", SERVE, str(tmp_path / "uploads"), str(home.key), str(port)]
    process = subprocess.Popen(serve)
    wait_for_port(port, 60)
    upload = start("upload", folder, "--home", home.folder, "--limit", "400k")

    def under_way() -> bool:
        return any(path.stat().st_size > 10_000 for path in kept.glob("*.part"))

    wait_until(under_way, "a part on the server")
    process.kill()
    process.wait()
    process = subprocess.Popen(serve)
    try:
        _, said = upload.communicate(timeout=150)
        assert upload.returncode == 0, said
    finally:
        process.kill()
        process.wait()
    assert pictures(kept) == list(range(12 * FPS))
    assert segments(folder) == []


@pytest.mark.usefixtures("server")
def test_a_receipt_that_was_lost_is_given_again(
    home: Home, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the server has it and before the device knows: nothing is sent twice."""
    film(spool(home.spool / "cam-1"), 6.0)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "acknowledged", lambda *_: None)
        assert enrolled_uploader(home).drain(threading.Event()).bytes > 0
    tally = enrolled_uploader(home).drain(threading.Event())
    assert (tally.sent, tally.bytes) == (1, 0)
    assert len(list(kept.glob("*.ts"))) == 1


@pytest.mark.usefixtures("server")
def test_the_devices_token_goes_to_its_control_plane_alone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ticket that leads elsewhere, as to an object store, gets none."""
    from edge_agent.upload import desk

    heard: list[bytes] = []
    door = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        link, _ = door.accept()
        heard.append(link.recv(65536))
        link.close()

    thread = threading.Thread(target=listen)
    thread.start()
    film(spool(home.spool / "cam-1"), 6.0)
    elsewhere = f"http://127.0.0.1:{door.getsockname()[1]}/bucket?signature=secret"
    monkeypatch.setattr(desk, "urljoin", lambda *_: elsewhere)
    with pytest.raises(UploadError) as caught:
        enrolled_uploader(home).round(Tally())
    thread.join(30)
    door.close()
    assert b"/bucket" in heard[0]
    assert b"authorization" not in heard[0].lower()
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("server")
def test_a_folder_is_protected_and_uploaded_and_nothing_else_of_it(
    home: Home, tmp_path: Path
) -> None:
    source, target = tmp_path / "in", tmp_path / "cam-1"
    for folder in (source / "day 2", target):
        folder.mkdir(parents=True)
    write_street(source / "a.mp4", 1.0)
    write_street(source / "day 2" / "b.mp4", 1.0)
    bare = write_street(target / "stranger.mp4", 1.0)
    now_and_always = ("--when", "00:00-23:59", "--upload", "control", "--home", home.folder)
    done = finish(start("redact", source, target, *now_and_always))
    assert done.returncode == 0, done.stderr
    assert "1 videos in" in done.stderr
    kept = tmp_path / "uploads" / "acme" / "van-7" / "cam-1"
    assert sorted(path.name for path in kept.glob("*.mp4")) == ["a.mp4", "day 2--b.mp4"]
    for path in kept.glob("*.mp4"):
        assert_plate_hidden(list(lumas(path)))
    assert bare.exists()
    assert (target / "a.mp4").exists()


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "next", lambda _: 0.01)


def test_the_index_lists_what_is_below_a_folder(tmp_path: Path) -> None:
    film(spool(tmp_path / "cam-1"), 6.0)
    film(spool(tmp_path / "cam-2"), 6.0)
    assert [path.name for path in folders_in(tmp_path)] == ["cam-1", "cam-2"]
    assert folders_in(tmp_path / "cam-2") == [tmp_path / "cam-2"]
