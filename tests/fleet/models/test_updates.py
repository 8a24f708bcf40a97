"""A model's way onto a device and, if need be, back: over real HTTP, with real signatures."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from cloud_control.tuf.model_files import read_model_files
from cloud_control.tuf.repository import ModelRepository
from edge_agent.detect.card import find_model, load_card, read_model
from edge_agent.detect.variant import int8_card, runs_here
from edge_agent.fleet.models.record import Attempt, Record, RecordFile
from edge_agent.worker.report import CountsReport, TrialReport, WorkerReport
from tests.fleet.models.server import Site, cut_after
from tests.fleet.models.workshop import AT_ONCE_GOOD, SHIPPED, Device, model, wait_for, wanted


def trial(**fields: float) -> TrialReport:
    good = {
        "looks": 200, "failed": 0.0, "disagreed": 0.05, "rescued_old": 0.1, "rescued_new": 0.1,
        "seconds_old": 0.03, "seconds_new": 0.03,
    }  # fmt: skip
    return TrialReport.model_validate({"card": "x", "finished": True} | good | fields)


def test_a_real_model_is_fetched_tested_and_used(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.run("9.0.0")
    assert device.updates
    assert device.steps[:4] == ["waiting", "downloading", "verifying", "testing"]
    assert device.runs == "9.0.0"
    assert device.host.used == ["9.0.0"]
    assert read_model(load_card(device.updates.card))


def test_without_any_wish_the_built_in_model_runs(device: Device) -> None:
    updates = device.start()
    assert updates.update is None
    assert updates.card == find_model()
    assert device.runs == SHIPPED


@pytest.mark.usefixtures("quick_test")
def test_what_runs_already_is_done_at_once_and_fetches_nothing(device: Device, site: Site) -> None:
    device.run(SHIPPED)
    assert site.requests == []


@pytest.mark.usefixtures("quick_test")
def test_the_form_for_this_processor_comes_along(
    repository: ModelRepository, device: Device, tmp_path: Path
) -> None:
    """Its network comes only where it can run; on others the card alone would be of no use."""
    for path in find_model().parent.glob("veil-nano*"):
        content = path.read_bytes()
        if path.suffix == ".json":
            content = json.dumps(json.loads(content) | {"version": "9.0.0"}).encode()
        (tmp_path / path.name).write_bytes(content)
    repository.publish(read_model_files(tmp_path / "veil-nano.json"))
    device.run("9.0.0")
    assert device.updates
    form = int8_card(device.updates.card)
    assert form.is_file() == runs_here(load_card(int8_card(tmp_path / "veil-nano.json")))
    assert not form.is_file() or read_model(load_card(form))


def test_a_model_that_cannot_be_loaded_fails_its_self_test(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0", b"no network at all"))
    assert device.run("9.0.0", until="refused").reason == "self_test_failed"
    assert device.runs == SHIPPED
    wait_for(lambda: device.kept() == [], lambda: str(device.kept()))


@pytest.mark.usefixtures("quick_test")
def test_an_update_waits_while_a_stream_is_live(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.host.live = 1
    updates = device.start()
    updates.want(wanted("9.0.0"), False)
    device.wait("9.0.0", "waiting")
    device.host.live = 0
    device.wait("9.0.0", "done")
    assert device.host.tried


@pytest.mark.usefixtures("quick_test")
def test_an_update_that_may_run_while_live_is_tried_beside_the_old_model(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.host.live, device.host.trial = 1, trial()
    updates = device.start()
    updates.want(wanted("9.0.0"), False)
    device.wait("9.0.0", "waiting")
    updates.want(wanted("9.0.0"), True)
    device.wait("9.0.0", "done")
    assert "shadowing" in device.steps


@pytest.mark.usefixtures("quick_test")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"failed": 0.1}, "trial_failed"),
        ({"looks": 0, "failed": 1.0}, "trial_failed"),
        ({"seconds_new": 0.2}, "trial_slow"),
        ({"disagreed": 0.8}, "trial_disagreed"),
        ({"rescued_new": 0.5}, "trial_late"),
    ],
)
def test_a_model_that_does_badly_beside_the_old_one_is_refused(
    repository: ModelRepository, device: Device, fields: dict[str, float], reason: str
) -> None:
    repository.publish(model("9.0.0"))
    device.host.live, device.host.trial = 1, trial(**fields)
    device.start().want(wanted("9.0.0"), True)
    assert device.wait("9.0.0", "refused").reason == reason
    assert device.host.used == []


@pytest.mark.usefixtures("quick_test")
def test_a_model_that_the_streams_cannot_use_goes_back(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.host.can_use = False
    assert device.run("9.0.0", until="rolled_back").reason == "use_failed"
    assert device.runs == SHIPPED
    device.wait_for_used("9.0.0", SHIPPED)


@pytest.mark.usefixtures("quick_test")
@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"unverified_frames_sent": 1}, "unverified"),
        ({"detector_restarts": 2}, "detector_restarts"),
        ({"looks_failed": 50}, "looks_failed"),
    ],
)
def test_a_model_that_fails_in_its_first_minutes_goes_back(
    repository: ModelRepository, device: Device, counts: dict[str, int], reason: str
) -> None:
    repository.publish(model("9.0.0"))
    device.run("9.0.0")
    assert device.updates
    assert device.updates.running
    before = WorkerReport(
        run="running", state="PROTECTED", model_sha256=device.updates.running.sha256,
        counts=CountsReport(frames_in=100, looks_failed=3),
    )  # fmt: skip
    device.updates.heard("a", before)
    later = CountsReport.model_validate({"frames_in": 200, "looks_failed": 3} | counts)
    device.updates.heard("a", before.model_copy(update={"counts": later}))
    assert device.wait("9.0.0", "rolled_back").reason == reason
    assert device.runs == SHIPPED
    device.updates.want(wanted("9.0.0"), False)
    device.updates.want(wanted("9.0.0"), False)
    repository.publish(model("9.1.0"))
    device.run("9.1.0")
    assert device.host.used == ["9.0.0", SHIPPED, "9.1.0"]


@pytest.mark.usefixtures("quick_test")
def test_worker_that_ends_again_and_again_with_a_new_model_sends_it_back(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.run("9.0.0")
    assert device.updates
    for run in ("running", "failed", "failed", "running", "failed", "running", "failed"):
        state = "PROTECTED" if run == "running" else "HELD"
        device.updates.heard("a", WorkerReport.model_validate({"run": run, "state": state}))
    assert device.wait("9.0.0", "rolled_back").reason == "worker_ends"


@pytest.mark.usefixtures("quick_test")
def test_the_last_good_model_is_kept_and_a_roll_back_needs_no_network(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    for version in ("9.0.0", "9.1.0", "9.2.0"):
        repository.publish(model(version))
    device.start(AT_ONCE_GOOD)
    for version in ("9.0.0", "9.1.0", "9.2.0"):
        device.run(version)
        assert len(device.kept()) <= 2
    assert device.kept() == ["9.1.0", "9.2.0"]
    site.faults["."] = cut_after(0)
    assert device.updates
    device.updates.roll_back()
    assert device.wait("9.2.0", "rolled_back").reason == "by_command"
    assert device.runs == "9.1.0"


@pytest.mark.usefixtures("quick_test")
def test_a_model_on_probation_is_not_the_last_good_one(
    repository: ModelRepository, device: Device
) -> None:
    for version in ("9.0.0", "9.1.0"):
        repository.publish(model(version))
        device.run(version)
    assert device.updates
    device.updates.roll_back()
    device.wait("9.1.0", "rolled_back")
    assert device.runs == SHIPPED


@pytest.mark.usefixtures("quick_test")
def test_a_roll_back_of_an_update_under_way_leaves_the_model_in_use(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    updates = device.start(AT_ONCE_GOOD)
    for version in ("9.0.0", "9.1.0", "9.2.0"):
        repository.publish(model(version))
    device.run("9.0.0")
    device.run("9.1.0")
    site.faults[r"9\.2\.0"] = cut_after(100)
    device.run("9.2.0", until="downloading")
    updates.roll_back()
    assert device.wait("9.2.0", "rolled_back").reason == "by_command"
    assert device.runs == "9.1.0"
    site.faults.clear()
    updates.roll_back()
    wait_for(lambda: device.runs == "9.0.0", lambda: device.runs)
    device.wait_for_used("9.0.0", "9.1.0", "9.0.0")


@pytest.mark.usefixtures("quick_test")
def test_an_aborted_rollout_brings_the_former_model_back_at_once_also_while_live(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(read_model_files(find_model()))
    repository.publish(model("9.0.0"))
    device.run("9.0.0")
    device.host.live, device.host.trial = 1, trial(failed=1.0)
    device.run(SHIPPED)
    assert device.runs == SHIPPED
    device.wait_for_used("9.0.0", SHIPPED)


@pytest.mark.usefixtures("quick_test")
def test_a_former_model_comes_back_although_it_had_not_proved_itself_yet(
    repository: ModelRepository, device: Device
) -> None:
    """One rollout soon after another, and the second is aborted."""
    for version in ("9.0.0", "9.1.0"):
        repository.publish(model(version))
        device.run(version)
    device.run("9.0.0")
    assert device.runs == "9.0.0"


@pytest.mark.usefixtures("quick_test")
def test_a_former_model_that_was_revoked_does_not_come_back_by_the_cloud(
    repository: ModelRepository, device: Device
) -> None:
    device.start(AT_ONCE_GOOD)
    for version in ("9.0.0", "9.1.0"):
        repository.publish(model(version))
        device.run(version)
    repository.revoke("veil-nano", "9.0.0")
    assert device.run("9.0.0", until="refused").reason == "not_in_repository"
    assert device.runs == "9.1.0"


@pytest.mark.usefixtures("quick_test")
def test_everything_survives_a_restart(repository: ModelRepository, device: Device) -> None:
    repository.publish(model("9.0.0"))
    device.run("9.0.0")
    device.stop()
    updates = device.start()
    assert device.runs == "9.0.0"
    assert updates.update
    assert updates.update.step == "done"
    updates.roll_back()
    device.wait("9.0.0", "rolled_back")


@pytest.mark.usefixtures("quick_test")
def test_a_model_that_was_damaged_on_the_disk_is_never_used(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.run("9.0.0")
    assert device.updates
    network = device.updates.card.with_suffix(".onnx")
    device.stop()
    network.write_bytes(network.read_bytes()[:-1])
    updates = device.start()
    assert device.runs == SHIPPED
    assert updates.update
    assert (updates.update.step, updates.update.reason) == ("rolled_back", "damaged")


@pytest.mark.usefixtures("quick_test")
def test_another_wish_overtakes_a_download(
    repository: ModelRepository, device: Device, site: Site
) -> None:
    repository.publish(model("9.0.0"))
    repository.publish(model("9.1.0"))
    site.faults[r"9\.0\.0"] = cut_after(1000)
    device.run("9.0.0", until="downloading")
    device.run("9.1.0")
    assert device.host.used == ["9.1.0"]


@pytest.mark.usefixtures("quick_test")
def test_a_refused_model_is_tried_anew_only_if_asked_to(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.host.live, device.host.trial = 1, trial(failed=1.0)
    updates = device.start()
    updates.want(wanted("9.0.0"), True)
    device.wait("9.0.0", "refused")
    device.host.trial = trial()
    updates.want(wanted("9.0.0"), True)
    updates.want(wanted("9.0.0"), True, again=True)
    device.wait("9.0.0", "done")
    assert len(device.host.tried) == 2


@pytest.mark.usefixtures("quick_test")
def test_a_model_that_takes_the_whole_device_down_is_given_up(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.folder.mkdir()
    attempt = Attempt(wanted=wanted("9.0.0"), step="testing", interrupted=2)
    RecordFile(device.folder / "record.json").write(Record(attempt=attempt))
    device.start()
    assert device.wait("9.0.0", "refused").reason == "interrupted"
    assert device.runs == SHIPPED


@pytest.mark.usefixtures("quick_test")
def test_a_spoilt_record_means_the_built_in_model(
    repository: ModelRepository, device: Device
) -> None:
    repository.publish(model("9.0.0"))
    device.run("9.0.0")
    device.stop()
    (device.folder / "record.json").write_text("{", encoding="utf-8")
    device.start()
    assert device.runs == SHIPPED
    device.run("9.0.0")


@pytest.mark.usefixtures("quick_test")
def test_a_full_disk_delays_an_update_and_breaks_nothing(
    repository: ModelRepository, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.publish(model("9.0.0"))
    write, fails = RecordFile.write, iter([True, False, True, True])

    def write_or_not(file: RecordFile, record: Record) -> None:
        if next(fails, False):
            raise OSError(errno.ENOSPC, "no space left on device")
        write(file, record)

    monkeypatch.setattr(RecordFile, "write", write_or_not)
    device.run("9.0.0")
    assert next(fails, None) is None
