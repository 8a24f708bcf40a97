"""Desired documents over a real broker: what is applied, refused or held back, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_agent.fleet.home import Home
from edge_agent.fleet.protection import Consent
from edge_agent.fleet.store import Store
from fleet_contract.protection import Protection
from tests.edge_agent.fleet.broker import needs_mosquitto
from tests.edge_agent.fleet.cloud import Cloud, now_ms
from tests.edge_agent.fleet.device import Device, stream
from tests.edge_agent.fleet.patience import wait_until

pytestmark = needs_mosquitto

Start = Callable[[], Device]


def protect(device: Device, name: str = "cam-1") -> Any:
    return device.workers.protections[name].protect


def test_a_threshold_changes_while_the_stream_runs(start: Start, cloud: Cloud) -> None:
    cloud.desire(1, stream())
    device = start()
    cloud.await_newest("streams/cam-1/state", run="running")
    tighter = {"classes": {"id_card": {"thresh": 0.1}}, "look_ahead": 1.2}
    cloud.desire(2, stream(protection=tighter))
    cloud.await_newest("streams/cam-1/state", desired_version=2)
    wait_until(lambda: protect(device).look_ahead == 1.2, "it is in force")
    assert protect(device).classes.id_card.thresh == 0.1
    assert device.workers.told == [("cam-1", "run"), ("cam-1", "apply")]


def test_another_address_begins_the_stream_anew(start: Start, cloud: Cloud) -> None:
    cloud.desire(1, stream())
    device = start()
    cloud.await_newest("streams/cam-1/state", run="running")
    assert device.workers.jobs["cam-1"].source == "rtmp://camera.example/live/source-key"
    assert device.workers.jobs["cam-1"].sinks == ("rtmps://ingest.example/app/sink-key",)
    cloud.desire(2, stream(source={"url": "rtmp://other.example/live", "key": "k"}))
    cloud.await_newest("reported", applied=2)
    assert device.workers.told == [("cam-1", "run"), ("cam-1", "end"), ("cam-1", "run")]


def test_mosaic_off_from_the_cloud_without_consent_changes_nothing(
    start: Start, cloud: Cloud
) -> None:
    cloud.desire(1, stream(protection={"mosaic": False}))
    device = start()
    cloud.await_newest(
        "reported",
        applied=1,
        held_back=[{"stream": "cam-1", "path": "mosaic"}],
        streams=[{"id": "cam-1", "converged": False, "reason": "needs_consent"}],
    )
    assert device.workers.protections["cam-1"].bare_until_ms is None


def test_mosaic_off_with_consent_is_shown_and_ends_with_it(start: Start, cloud: Cloud) -> None:
    cloud.desire(1, stream(protection={"mosaic": False}))
    device = start()
    cloud.await_newest("reported", applied=1)
    expires_at = now_ms() + 600_000
    give(device, "mosaic", Protection(mosaic=False), expires_at)
    loosened = [{"path": "mosaic", "expires_at": expires_at}]
    cloud.await_newest("streams/cam-1/state", loosened=loosened)
    cloud.await_newest("reported", streams=[{"id": "cam-1", "converged": True}])
    assert device.workers.protections["cam-1"].bare_until_ms == expires_at
    device.agent.clock._wall = lambda: expires_at  # ten minutes later
    cloud.await_newest("streams/cam-1/state", loosened=[])
    cloud.await_newest("reported", held_back=[{"stream": "cam-1", "path": "mosaic"}])
    assert device.workers.protections["cam-1"].bare_until_ms is None
    assert "apply" in {order for _, order in device.workers.told}


def test_consent_to_one_field_is_none_to_another(start: Start, cloud: Cloud) -> None:
    wish = {"hold": 0.0, "look_ahead": 0.0, "mosaic": False}
    cloud.desire(1, stream(protection=wish))
    device = start()
    cloud.await_newest("reported", applied=1)
    give(device, "hold", Protection(hold=0.0, look_ahead=0.0, mosaic=False), now_ms() + 600_000)
    wait_until(lambda: protect(device).hold == 0.0, "the consent counts")
    assert protect(device).look_ahead == 0.6
    assert device.workers.protections["cam-1"].bare_until_ms is None
    paths = {each["path"] for each in cloud.newest("reported")["held_back"]}
    assert {"look_ahead", "mosaic"} <= paths


def test_consent_covers_what_was_asked_then_and_no_more(start: Start, cloud: Cloud) -> None:
    """Ask for a little, get consent, then want more."""
    cloud.desire(1, stream(protection={"hold": 0.5}))
    device = start()
    cloud.await_newest("reported", applied=1)
    give(device, "hold", Protection(hold=0.5), now_ms() + 600_000)
    wait_until(lambda: protect(device).hold == 0.5, "the consent counts")
    cloud.desire(2, stream(protection={"hold": 0.0}))
    cloud.await_newest("reported", applied=2, held_back=[{"stream": "cam-1", "path": "hold"}])
    assert protect(device).hold == 0.5


def test_a_revoked_consent_ends_at_once(start: Start, cloud: Cloud) -> None:
    cloud.desire(1, stream(protection={"hold": 0.5}))
    device = start()
    cloud.await_newest("reported", applied=1)
    give(device, "hold", Protection(hold=0.5), now_ms() + 600_000)
    wait_until(lambda: protect(device).hold == 0.5, "the consent counts")
    store = Store(device.agent.home.state)
    assert store.revoke("cam-1", "hold")
    store.close()
    wait_until(lambda: protect(device).hold == 0.8, "it is protected again")


def test_listing_a_stream_anew_loosens_nothing(start: Start, cloud: Cloud) -> None:
    """Tightened, taken off the list, and listed again as if it were new."""
    cloud.desire(1, stream(protection={"look_ahead": 2.0}))
    device = start()
    cloud.await_newest("reported", applied=1)
    cloud.desire(2)
    wait_until(lambda: not device.workers.jobs, "it has ended")
    cloud.desire(3, stream(protection={"look_ahead": 0.6}))
    cloud.await_newest("reported", applied=3)
    wait_until(lambda: "cam-1" in device.workers.jobs, "it runs again")
    assert protect(device).look_ahead == 2.0


@pytest.mark.parametrize("settings", ["[protect]\nlook_ahead = 1.5\nhold = 2.0\n"])
def test_the_owners_settings_are_the_least_for_a_stream_that_is_new(
    start: Start, cloud: Cloud, home: Home, settings: str
) -> None:
    home.settings.write_text(settings)
    cloud.desire(1, stream(protection={"look_ahead": 0.0, "hold": 3.0}))
    device = start()
    cloud.await_newest("reported", applied=1)
    wait_until(lambda: "cam-1" in device.workers.jobs, "it runs")
    assert (protect(device).look_ahead, protect(device).hold) == (1.5, 3.0)


def test_names_of_the_device_stand_for_cameras_and_files(
    start: Start, cloud: Cloud, home: Home
) -> None:
    home.settings.write_text(
        '[sources]\ndashcam = { address = "/srv/drive.mp4", loop = true }\n'
        '[sinks]\narchive = "/srv/archive/"\n'
    )
    known = stream(source={"ref": "dashcam"}, sinks=[{"ref": "archive"}])
    cloud.desire(1, known, stream("cam-2", source={"ref": "no-such"}, sinks=[{"ref": "archive"}]))
    device = start()
    missing = {"id": "cam-2", "converged": False, "reason": "unknown_source"}
    cloud.await_newest("reported", streams=[{"id": "cam-1", "converged": True}, missing])
    job = device.workers.jobs["cam-1"]
    assert (job.source, job.loop, job.sinks) == ("/srv/drive.mp4", True, ("/srv/archive/",))
    cloud.await_newest("streams/cam-2/state", run="waiting", state="HELD", reason="unknown_source")


@pytest.mark.parametrize(
    ("payload", "refusal"),
    [
        (b"not json", {"version": 0, "reason": "not_json"}),
        (b"[" * 50_000, {"version": 0, "reason": "too_deep"}),
        (b'{"v":2,"version":9}', {"version": 9, "reason": "unsupported_version"}),
        (
            b'{"v":1,"version":9,"issued_at":1,"protection":{"mask_scale":0.1}}',
            {"version": 9, "reason": "invalid", "field": "protection.mask_scale"},
        ),
        (b'{"v":1,"version":1,"issued_at":1}', {"version": 1, "reason": "older_version"}),
        (b'{"v":1,"v":1,"version":9,"issued_at":1}', {"version": 0, "reason": "duplicate_key"}),
    ],
)
def test_a_document_that_breaks_the_rules_is_refused_and_what_was_in_force_stays(
    start: Start, cloud: Cloud, payload: bytes, refusal: dict[str, Any]
) -> None:
    cloud.desire(5, stream())
    device = start()
    cloud.await_newest("reported", applied=5)
    cloud.say("desired", payload, retain=True)
    cloud.await_newest("reported", applied=5, refused=refusal)
    assert "cam-1" in device.workers.jobs


def test_fields_of_a_newer_control_plane_are_ignored_and_named(start: Start, cloud: Cloud) -> None:
    cloud.desire(1, stream(title="Kitchen"), colour="blue")
    device = start()
    cloud.await_newest("reported", applied=1, unknown_fields=["streams.0.title", "colour"])
    assert "cam-1" in device.workers.jobs


def test_a_cleared_document_changes_nothing(start: Start, cloud: Cloud) -> None:
    cloud.desire(1, stream())
    device = start()
    cloud.await_newest("reported", applied=1)
    cloud.say("desired", b"", retain=True)
    asked = cloud.command("snapshot-metrics", 1)
    cloud.await_newest(f"ack/{asked}", outcome="done")
    assert "cam-1" in device.workers.jobs
    assert cloud.newest("reported")["applied"] == 1


def test_no_key_of_a_stream_is_said_or_logged(
    start: Start, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.desire(1, stream(protection={"mask_scale": 2.0}))
    start()
    cloud.await_newest("streams/cam-1/state", run="running")
    cloud.await_newest("telemetry", v=1)
    said = [str(cloud.all(topic)) for topic in set(cloud.topics()) - {"desired"}]
    captured = capsys.readouterr()
    for text in [*said, captured.out, captured.err]:
        assert "source-key" not in text
        assert "sink-key" not in text


def give(device: Device, path: str, asked: Protection, expires_at: int) -> None:
    store = Store(device.agent.home.state)
    store.give(Consent("cam-1", path, asked, expires_at))
    store.close()
