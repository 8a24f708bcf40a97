"""One piece, with nothing to install but Veilcast: a streamer's browser makes a stream of an
agent's clip, which goes through the control plane's own broker and ingest to a viewer's browser."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from tests.cloud_control.browsing import PHONE, browsing, resize
from tests.cloud_control.ingest.ingests import needs_ffmpeg
from tests.end_to_end.phone import with_sound
from tests.faults.street import Picture, assert_plate_hidden, shows_scene, write_street
from tests.fleet.devices import LIGHT, SOURCE, Device
from tests.fleet.planes import Plane
from tests.fleet.processes import wait_for

pytestmark = [needs_ffmpeg, pytest.mark.timeout(600)]

TITLE, TRAVEL = "골목 산책", "4"
OWN_AUTHORITY = "--ignore-certificate-errors"
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

    def has(self, selector: str) -> bool:
        return bool(self.browser.find_elements(By.CSS_SELECTOR, selector))

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


class Streamer(Viewer):
    """A person's browser at the page to go live."""

    def enter(self, url: str, token: str) -> None:
        self.browser.get(f"{url}/live")
        field = self.browser.find_element(By.ID, "token")
        wait_for(field.is_displayed, "a token is asked for")
        field.send_keys(token)
        field.submit()
        wait_for(self.browser.find_element(By.ID, "create").is_displayed, "the page is entered")

    def create(self, title: str, category: str, source: str) -> str:
        """The id of a stream of what the agent knows by that name."""
        find = self.browser.find_element
        wait_for(lambda: find(By.CSS_SELECTOR, "#agent option"), "there is an agent")
        find(By.ID, "name").send_keys(title)
        Select(find(By.ID, "category")).select_by_value(category)
        find(By.CSS_SELECTOR, 'input[value="ref"]').click()
        find(By.ID, "ref").send_keys(source)
        find(By.ID, "create").submit()
        wait_for(lambda: self.has("[data-panic]"), "the stream is made")
        return str(find(By.CSS_SELECTOR, "[data-panic]").get_attribute("data-panic"))

    def presses(self, selector: str) -> None:
        """The list is drawn anew now and then, so it may take a second click."""

        def pressed() -> bool:
            try:
                self.browser.find_element(By.CSS_SELECTOR, selector).click()
            except (NoSuchElementException, StaleElementReferenceException):
                return False
            return True

        wait_for(pressed, f"{selector} is pressed")


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    with browsing(OWN_AUTHORITY, "--autoplay-policy=no-user-gesture-required") as browser:
        resize(browser, PHONE)
        yield Viewer(browser)


@pytest.fixture
def streamer(plane: Plane) -> Iterator[Streamer]:
    with browsing(OWN_AUTHORITY) as browser:
        made = Streamer(browser)
        made.enter(plane.url, plane.token)
        yield made


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


def test_a_stream_is_made_watched_interrupted_starved_veiled_and_ended(
    plane: Plane, device: Device, viewer: Viewer, streamer: Streamer, starve: Path
) -> None:
    viewer.browser.get(f"{plane.url}/?category={TRAVEL}")
    stream = streamer.create(TITLE, TRAVEL, SOURCE)
    wait_for(lambda: viewer.has(".card"), "it is listed in its category")
    card = viewer.browser.find_element(By.CSS_SELECTOR, ".card")
    assert TITLE in card.text
    card.click()
    wait_for(lambda: viewer.browser.current_url.endswith(f"/watch/{stream}"), "its page opens")

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
    streamer.presses("[data-panic]")
    viewer.sees("state", "Veiled")
    streamer.sees("mine", "Veiled. Lift it at the device")

    streamer.presses("[data-end]")
    streamer.presses("dialog[open] #yes")
    viewer.sees("notice", "ended")
    assert viewer.text("state") == ""
