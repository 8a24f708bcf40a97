"""A browser's camera, the whole way: page, agent, ingest, and another browser that watches."""

from __future__ import annotations

import base64
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

from tests.cloud_control.browsing import FLAGS
from tests.edge_agent.media_tools import free_port
from tests.faults.street import (
    FPS,
    Picture,
    assert_plate_hidden,
    picture,
    shows_plate,
)
from tests.fleet.devices import LIGHT, Device
from tests.fleet.planes import Plane

PATIENCE_S = 120.0
PICTURES = 12
WALL = (slice(250, 350), slice(30, 300))  # rows, columns that the plate never comes near
GRAB = """
const video = document.getElementById("video");
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
canvas.getContext("2d").drawImage(video, 0, 0);
return canvas.toDataURL("image/jpeg", 0.95).split(",")[1];
"""
LOUDNESS = """
const done = arguments[0];
const video = document.getElementById("video");
const sound = new AudioContext();
const meter = sound.createAnalyser();
sound.createMediaElementSource(video).connect(meter);
meter.connect(sound.destination);
const samples = new Float32Array(meter.fftSize);
const until = Date.now() + 20000;
const listen = () => {
  meter.getFloatTimeDomainData(samples);
  const loudest = Math.max(...samples.map(Math.abs));
  if (loudest > 0.02 || Date.now() > until) done(loudest);
  else setTimeout(listen, 50);
};
sound.resume().then(listen);
"""


class Tab:
    """A browser of its own: a streamer's or a viewer's."""

    def __init__(self, *flags: str) -> None:
        driver = shutil.which("chromedriver")
        if driver is None:
            pytest.skip("no chromedriver: THE WAY OF A CAMERA IS NOT TESTED")
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, "--ignore-certificate-errors", *flags):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self.browser = webdriver.Chrome(options=options, service=Service(driver))
        self.browser.set_script_timeout(PATIENCE_S)

    def __getitem__(self, name: str) -> WebElement:
        return self.browser.find_element(By.ID, name)

    def until(self, holds: Callable[[], object]) -> None:
        WebDriverWait(
            self.browser, PATIENCE_S, 0.2, ignored_exceptions=[StaleElementReferenceException]
        ).until(lambda _: holds())

    def played(self) -> float:
        return float(self["video"].get_property("currentTime"))

    def picture(self) -> Picture:
        """What the player shows now."""
        jpeg = base64.b64decode(self.browser.execute_script(GRAB))
        shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert shown is not None
        return np.asarray(shown, np.uint8)


def shows_wall(luma: Picture) -> bool:
    """Whether fine detail of the street's wall is there; a veil leaves none."""
    wanted = detail(cv2.cvtColor(picture(0), cv2.COLOR_RGB2GRAY)[WALL])
    return float(np.corrcoef(wanted, detail(luma[WALL]))[0, 1]) > 0.3


def detail(luma: Picture) -> NDArray[np.float32]:
    bare = luma.astype(np.float32)
    return np.asarray(bare - cv2.GaussianBlur(bare, (0, 0), 3), np.float32).ravel()


@contextmanager
def tab(*flags: str) -> Iterator[Tab]:
    made = Tab(*flags)
    try:
        yield made
    finally:
        made.browser.quit()


def write_fake_camera(path: Path, seconds: float) -> Path:
    """The street as the motion JPEG that Chromium's fake camera plays."""
    with path.open("wb") as out:
        for index in range(round(seconds * FPS)):
            bgr = cv2.cvtColor(picture(index), cv2.COLOR_RGB2BGR)
            out.write(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
    return path


@pytest.mark.timeout(400)
def test_a_browsers_camera_reaches_another_browser_protected(tmp_path: Path) -> None:
    fake = write_fake_camera(tmp_path / "street.mjpeg", 8)
    door = free_port()
    with ExitStack() as stack:
        plane = stack.enter_context(Plane(tmp_path, "embedded", "embedded"))
        plane.ask("PUT", "/v1/protection", LIGHT)
        device = Device(tmp_path, "phone", fake)
        plane.enrol(device)
        device.agent.start()
        stack.callback(device.agent.stop)
        streamer = stack.enter_context(
            tab(
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-video-capture={fake}",
            )
        )
        go_live(streamer, plane, door)
        streamer.until(lambda: "has proved who it is" in streamer["sent"].text)
        stream = streamer.browser.current_url.partition("/live/")[2].partition("?")[0]
        streamer.until(lambda: "Protected" in streamer["badge"].text)

        viewer = stack.enter_context(tab("--autoplay-policy=no-user-gesture-required"))
        viewer.browser.get(f"{plane.url}/watch/{stream}")
        viewer.until(lambda: viewer.played() > 0.5)
        before = viewer.played()
        seen: list[Picture] = []

        def looked_enough() -> bool:
            """A busy machine veils: at least one of the pictures must show the street."""
            seen.append(viewer.picture())
            return len(seen) >= PICTURES and any(shows_wall(luma) for luma in seen)

        viewer.until(looked_enough)
        loudness = viewer.browser.execute_async_script(LOUDNESS)
        viewer.until(lambda: viewer.played() > before + 3)
        streamer.until(lambda: float(streamer["figures"].text.split("\n")[1]) > 5)
        complaints = [
            entry["message"]
            for entry in streamer.browser.get_log("browser")
            if entry["level"] == "SEVERE"
        ]
    assert_plate_hidden(seen)
    assert loudness > 0.02
    assert complaints == []
    assert shows_plate(cv2.cvtColor(picture(40), cv2.COLOR_RGB2GRAY))  # had it been let through


def go_live(streamer: Tab, plane: Plane, door: int) -> None:
    """As a streamer does: sign in, make a stream for this camera, start it."""
    streamer.browser.get(f"{plane.url}/live")
    streamer.until(streamer["gate"].is_displayed)
    streamer["token"].send_keys(plane.token)
    streamer["token"].submit()
    streamer.until(streamer["inside"].is_displayed)
    streamer.until(lambda: "online" in streamer["agent"].text)
    streamer["name"].send_keys("A walk")
    streamer.browser.find_element(By.CSS_SELECTOR, 'input[value="camera"]').click()
    streamer["port"].clear()
    streamer["port"].send_keys(str(door))
    streamer["create"].submit()
    streamer.until(lambda: "/live/" in streamer.browser.current_url)
    streamer.until(streamer["start"].is_displayed)
    Select(streamer["resolution"]).select_by_value("854x480")
    streamer["start"].click()
