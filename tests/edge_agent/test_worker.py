"""A stream in a process of its own: orders take hold while it is live, and it dies alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import psutil
import pytest

from edge_agent.settings import Classes, ClassSettings, Protect
from edge_agent.worker.job import Apply, Job, Protection, SetVeil, TryModel, UseModel
from edge_agent.worker.report import WorkerReport
from tests.edge_agent.workers import CARD, STREAM, job, left, spoilt_model, supervised
from tests.faults.command import PATIENCE_S, wait_until
from tests.faults.links import Receiver
from tests.faults.street import assert_plate_hidden, lumas, shows_plate, shows_scene, write_street

SHOWING = Protection(protect=Protect(classes=Classes(license_plate=ClassSettings(hide=False))))
PARENT = """
import sys, time
from edge_agent.worker.job import Job
from edge_agent.worker.supervisor import Supervisor
Supervisor(lambda *_: None).run("a", Job.model_validate_json(sys.argv[1]))
time.sleep(600)
"""
STRICTER = Protection(protect=Protect(look_ahead=1.0, mask_scale=1.4, second_looks=2.0))


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So long that a test is seldom at its end before it has seen enough."""
    return write_street(tmp_path_factory.mktemp("clips") / "street.mp4", 30)


def protected(report: WorkerReport) -> bool:
    return report.run == "running" and report.state == "PROTECTED"


def test_orders_take_hold_while_the_stream_is_live(street: Path, tmp_path: Path) -> None:
    """A plate class off and on, other rules, a veil, a trial, another model: the record shows the
    plate in between only, has no gap, and nothing is veiled but by order."""
    copy = tmp_path / "copy.mkv"
    with supervised() as (workers, told):
        workers.run(STREAM, job(street, copy, protection=SHOWING))
        told.wait(lambda r: left(r) > 20, "pictures leave")
        workers.order(STREAM, Apply(number=1, protection=Protection()))
        hidden = told.wait(lambda r: r.done >= 1, "plates are hidden")
        told.wait(lambda r: left(r) > left(hidden) + 20, "more pictures leave")
        workers.order(STREAM, Apply(number=2, protection=STRICTER))
        told.wait(lambda r: r.done >= 2 and r.delay > 0.99, "the look-ahead is longer")
        workers.order(STREAM, TryModel(number=3, card=CARD, seconds=1.0))
        tried = told.wait(lambda r: r.trial and r.trial.finished, "the trial is over")
        workers.order(STREAM, UseModel(number=4, card=CARD))
        told.wait(lambda r: r.done >= 4, "the model is in use")
        workers.order(STREAM, SetVeil(number=5, on=True))
        veiled = told.wait(lambda r: r.done >= 5 and r.state == "DEGRADED", "the veil is on")
        told.wait(lambda r: left(r) > left(veiled) + 10, "veils leave")
        workers.order(STREAM, SetVeil(number=6, on=False))
        told.wait(lambda r: r.done >= 6 and protected(r), "the picture is back")
        workers.end(STREAM)
        last = told.wait(lambda r: r.run == "stopped", "the end")
    assert {r.reason for r in told.all() if r.veiled and r.state == "DEGRADED"} == {"veiled"}
    assert not any(r.veiled and r.state == "PROTECTED" for r in told.all())
    assert (last.refused, last.state, last.counts.unverified_frames_sent) == ({}, "HELD", 0)
    assert len(last.model_sha256) == 64
    assert tried.trial is not None
    assert (tried.trial.card, tried.trial.failed) == (CARD, 0.0)
    pictures = list(lumas(copy))
    assert any(shows_plate(luma) for luma in pictures[: left(hidden)])
    assert_plate_hidden(pictures[left(hidden) :])
    assert sum(shows_scene(luma) for luma in pictures[left(hidden) :]) > 20
    with av.open(str(copy)) as container:
        stamps = [float(frame.time or 0) for frame in container.decode(video=0)]
    lost = last.counts.frames_dropped
    assert sum(b - a > 0.06 for a, b in pairwise(stamps)) <= lost


def test_bad_models_are_refused_and_the_old_one_looks_on(street: Path, tmp_path: Path) -> None:
    with supervised() as (workers, told):
        workers.run(STREAM, job(street, tmp_path / "copy.mkv"))
        before = told.wait(protected, "the stream is protected")
        spoilt = spoilt_model(tmp_path)
        workers.order(STREAM, UseModel(number=1, card=spoilt))
        workers.order(STREAM, TryModel(number=2, card=spoilt, seconds=1.0))
        workers.order(STREAM, UseModel(number=3, card=str(tmp_path / "absent.json")))
        report = told.wait(lambda r: r.done >= 3, "all are settled")
        assert report.refused == dict.fromkeys((1, 2, 3), "model_failed")
        assert report.model_sha256 == before.model_sha256
        seen = len(told.all())
        told.wait(protected, "it is still protected", since=seen)


def test_a_killed_worker_is_replaced_as_the_newest_orders_say(street: Path, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path)
    copy = tmp_path / "copy.mkv"
    with supervised() as (workers, told):
        workers.run(STREAM, job(street, copy, receiver.url, protection=SHOWING))
        part = tmp_path / "copy.mkv.part"
        wait_until(lambda: part.exists() and part.stat().st_size > 100_000, "a recording")
        workers.order(STREAM, Apply(number=1, protection=Protection()))
        workers.order(STREAM, SetVeil(number=2, on=True))
        told.wait(lambda r: r.done >= 2 and r.state == "DEGRADED", "orders are in force")
        seen = len(told.all())
        pid = workers._keepers[STREAM].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        dead = told.wait(lambda r: r.run == "failed", "the death is told", since=seen)
        assert (dead.state, dead.reason, dead.source_connected) == ("HELD", "worker_died", False)
        assert not any(sink.connected for sink in dead.sinks)
        again = told.wait(
            lambda r: (
                r.run == "running" and len(r.sinks) == 2 and all(s.connected for s in r.sinks)
            ),
            "a new one runs and is connected",
            since=seen,
        )
        assert (again.state, again.reason, again.done) == ("DEGRADED", "veiled", 2)
        workers.order(STREAM, SetVeil(number=3, on=False))
        told.wait(lambda r: r.done >= 3 and protected(r), "the picture is back", since=seen)
        told.wait(
            lambda r: protected(r) and r.counts.frames_protected > 15, "pictures leave", since=seen
        )
        assert workers.restarts(STREAM) == 1
        cores, memory = workers.usage()
        assert cores >= 0
        assert memory > 50_000_000
    receiver.close()
    assert receiver.connections >= 2
    first, second = tmp_path / "copy-2.mkv", copy
    assert any(shows_plate(luma) for luma in lumas(first))
    pictures = list(lumas(second))
    assert_plate_hidden(pictures)
    assert sum(shows_scene(luma) for luma in pictures) > 10


def test_streams_do_not_harm_each_other(street: Path, tmp_path: Path) -> None:
    with supervised() as (workers, told):
        workers.run("good", job(street, tmp_path / "copy.mkv"))
        workers.run("bad", job(tmp_path / "absent.mp4", tmp_path / "other.mkv"))
        told.wait(protected, "one is protected", stream="good")
        failed = told.wait(lambda r: r.run == "failed", "the other failed", stream="bad")
        assert (failed.state, failed.reason) == ("HELD", "source_failed")
        wait_until(lambda: workers.restarts("bad") >= 1, "it is tried again")
        assert workers.restarts("good") == 0
        workers.end("bad")
        told.wait(lambda r: r.run == "stopped", "the bad one is given up", stream="bad")
        seen = len(told.all("good"))
        workers.run("good", job(street, tmp_path / "next.mkv"))
        told.wait(protected, "another stream takes the place", since=seen, stream="good")
    for stream, ends in (("good", 2), ("bad", 1)):
        assert sum(r.run == "stopped" for r in told.all(stream)) == ends
        assert told.all(stream)[-1].run == "stopped"
    assert_plate_hidden(list(lumas(tmp_path / "copy.mkv"))[::5])


def spawn(first_line: bytes) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_agent.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(first_line + b"\n")
    process.stdin.flush()
    return process


def until_running(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if WorkerReport.model_validate_json(line).run == "running":
            return
    pytest.fail("it ended")


@pytest.mark.parametrize("how", ["its input ends", "SIGTERM"])
def test_a_worker_ends_properly_with_its_parent(how: str, street: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    process = spawn(job(street, copy).model_dump_json().encode())
    until_running(process)
    if how == "SIGTERM":
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
    else:
        out, err = process.communicate(timeout=PATIENCE_S)  # which closes its input first
    assert process.returncode == 0, err
    assert WorkerReport.model_validate_json(out.splitlines()[-1]).run == "stopped"
    assert b"Traceback" not in err
    assert copy.exists()
    assert_plate_hidden(list(lumas(copy))[::5])


def test_a_worker_that_waits_for_its_source_ends_with_its_parent(tmp_path: Path) -> None:
    process = spawn(
        job("listen:rtmp://127.0.0.1:0/live/k", tmp_path / "a.mkv").model_dump_json().encode()
    )
    assert process.stdout is not None
    for line in process.stdout:
        if WorkerReport.model_validate_json(line).run == "waiting":
            break
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert WorkerReport.model_validate_json(out.splitlines()[-1]).run == "stopped"


def test_no_worker_outlives_a_killed_parent(street: Path, tmp_path: Path) -> None:
    wanted = job(street, tmp_path / "a.mkv").model_dump_json()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, wanted], stderr=subprocess.DEVNULL)
    family = psutil.Process(parent.pid)
    wait_until(family.children, "the worker is there")
    wait_until((tmp_path / "a.mkv.part").exists, "it works")
    (worker,) = family.children()
    parent.kill()
    parent.wait()
    wait_until(lambda: not worker.is_running(), "the worker's end")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'{"source": "a.mp4"}',
        b'{"source": "rtmp://host/live/SECRET", "sinks": ["rtmp://host/live/SECRET"], "card": 7}',
    ],
)
def test_a_bad_job_is_told_without_its_secrets(line: bytes) -> None:
    process = spawn(line)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (2, b"")
    (said,) = err.decode().splitlines()
    assert json.loads(said)["event"] == "bad_job"
    assert "SECRET" not in said


def test_secrets_stay_out_of_process_lists_reports_and_logs(street: Path, tmp_path: Path) -> None:
    secret = "rtmp://127.0.0.1:1/live/SECRETKEY"
    wanted = Job(source=str(street), sinks=(secret, str(tmp_path / "a.mkv")), loop=True, card=CARD)
    assert "SECRET" not in repr(wanted)
    process = spawn(wanted.model_dump_json().encode())
    until_running(process)
    assert "SECRET" not in " ".join(psutil.Process(process.pid).cmdline())
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert b"SECRET" not in out + err


def test_a_stream_that_has_come_to_its_end_stays_ended(tmp_path: Path) -> None:
    """A file that is not looped: one last report, and whatever is ordered later is settled."""
    short = write_street(tmp_path / "short.mp4", 1.0)
    with supervised() as (workers, told):
        workers.run(STREAM, job(short, tmp_path / "copy.mkv").model_copy(update={"loop": False}))
        last = told.wait(lambda r: r.run == "stopped", "its end")
        assert (last.state, last.reason, last.counts.frames_in) == ("HELD", None, 25)
        assert sum(r.run == "stopped" for r in told.all()) == 1
        workers.order(STREAM, Apply(number=1, protection=STRICTER))
        told.wait(lambda r: r.run == "stopped" and r.done == 1, "the order is settled")
        assert workers.restarts(STREAM) == 0
    assert_plate_hidden(list(lumas(tmp_path / "copy.mkv")))
