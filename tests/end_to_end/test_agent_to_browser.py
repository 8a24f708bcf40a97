"""One piece, with nothing to install but Veilcast: an agent's clip through the control plane's own
broker and ingest to a real browser."""

from __future__ import annotations

import base64
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from tests.cloud_control.browsing import FLAGS
from tests.cloud_control.ingest.ingests import needs_ffmpeg
from tests.end_to_end.phone import with_sound
from tests.faults.street import Picture, assert_plate_hidden, shows_scene, write_street
from tests.fleet.devices import LIGHT, SOURCE, Device
from tests.fleet.planes import Plane
from tests.fleet.processes import wait_for

pytestmark = [needs_ffmpeg, pytest.mark.timeout(600)]

STREAM, TITLE = "walk", "골목 산책"
LOOKS = 6
STARVED = """\
import os, sys, time
if "edge_agent.worker" in sys.orig_argv:
    import onnxruntime
    run = onnxruntime.InferenceSession.run
    def starved(*arguments):
        while os.path.exists(os.environ["STARVE"]):
            time.sleep(0.05)
        return run(*arguments)
    onnxruntime.InferenceSession.run = starved
"""
PICTURE = """
const video = document.getElementById("video"), canvas = document.createElement("canvas");
canvas.width = video.videoWidth, canvas.height = video.videoHeight;
canvas.getContext("2d").drawImage(video, 0, 0);
return canvas.toDataURL("image/png").split(",")[1];
"""
PLAYED = """
const video = document.getElementById("video");
return [video.currentTime, video.getVideoPlaybackQuality().totalVideoFrames,
    video.webkitAudioDecodedByteCount];
"""


class Viewer:
    """A person's browser at a stream's page."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser

    def text(self, name: str) -> str:
        """As it is read out, also where it is hidden: then empty."""
        return str(self.browser.find_element(By.ID, name).text)

    def sees(self, name: str, text: str) -> None:
        wait_for(lambda: text in self.text(name), f"{text} in {name}, which says {self.text(name)}")

    def played(self) -> list[float]:
        """Seconds, pictures and bytes of sound that were played so far."""
        found: list[float] = self.browser.execute_script(PLAYED)
        return found

    def goes_on(self) -> None:
        """The next pictures are played."""
        before = self.played()[1]
        wait_for(lambda: abs(self.played()[1] - before) > 5, "pictures go on")

    def picture(self) -> Picture:
        """The luma of what is shown now."""
        coded = base64.b64decode(self.browser.execute_script(PICTURE))
        luma = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert luma is not None
        return np.asarray(luma, np.uint8)


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    driver = shutil.which("chromedriver")
    if driver is None:
        pytest.skip("no chromedriver: NOBODY WATCHES WHAT AN AGENT SENDS")
    options = webdriver.ChromeOptions()
    for flag in (
        *FLAGS,
        "--ignore-certificate-errors",
        "--autoplay-policy=no-user-gesture-required",
    ):
        options.add_argument(flag)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        browser = webdriver.Chrome(options=options, service=Service(driver))
        yield Viewer(browser)
        browser.quit()


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    with Plane(tmp_path, "embedded", "embedded") as made:
        made.ask("PUT", "/v1/protection", LIGHT)
        yield made


@pytest.fixture
def starve(tmp_path: Path) -> Path:
    """While this file exists, no look of the agent's detector comes to an end."""
    return tmp_path / "starve"


@pytest.fixture
def device(plane: Plane, tmp_path: Path, starve: Path) -> Iterator[Device]:
    clip = with_sound(write_street(tmp_path / "street.mp4", 4.0), tmp_path / "clip.mp4")
    (tmp_path / "sabotage").mkdir()
    (tmp_path / "sabotage" / "sitecustomize.py").write_text(STARVED)
    made = Device(tmp_path, "van-1", clip)
    made.agent.environment = {"PYTHONPATH": str(tmp_path / "sabotage"), "STARVE": str(starve)}
    plane.enrol(made)
    made.agent.start()
    yield made
    made.agent.stop()


def kill_worker(device: Device) -> None:
    """The process that carries the stream; the agent starts another."""
    for child in psutil.Process(device.agent.pid).children():
        if "edge_agent.worker" in child.cmdline():
            child.kill()


def test_what_an_agent_sends_is_watched_interrupted_starved_and_ended(
    plane: Plane, device: Device, viewer: Viewer, starve: Path
) -> None:
    wanted: dict[str, Any] = {"id": STREAM, "agent": device.name, "source": {"ref": SOURCE}}
    plane.ask("POST", "/v1/streams", {**wanted, "title": TITLE, "category": 4})
    viewer.browser.get(plane.url)
    wait_for(lambda: viewer.browser.find_elements(By.CSS_SELECTOR, ".card"), "it is listed")
    assert TITLE in viewer.browser.find_element(By.CSS_SELECTOR, ".card").text

    viewer.browser.get(f"{plane.url}/watch/{STREAM}")
    viewer.sees("state", "Protected")
    wait_for(lambda: all(viewer.played()), "pictures and sound")
    seconds, shown, sound = viewer.played()
    pictures = []
    for _ in range(LOOKS):
        viewer.goes_on()
        pictures.append(viewer.picture())
    after = viewer.played()
    assert after[0] > seconds
    assert after[1] > shown
    assert after[2] > sound
    assert any(shows_scene(luma) for luma in pictures)

    kill_worker(device)
    viewer.sees("notice", "interrupted")
    viewer.sees("state", "Protected")
    viewer.goes_on()
    pictures.append(viewer.picture())
    assert_plate_hidden(pictures)

    starve.touch()
    viewer.sees("state", "Veiled")
    starve.unlink()
    viewer.sees("state", "Protected")
    plane.ask("POST", f"/v1/agents/{device.name}/commands/veil?wait=30", {"stream": STREAM})
    viewer.sees("state", "Veiled")

    plane.ask("DELETE", f"/v1/streams/{STREAM}")
    viewer.sees("notice", "ended")
    assert viewer.text("state") == ""
