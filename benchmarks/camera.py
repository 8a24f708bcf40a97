"""Glass to glass, from a browser's camera to another browser: `python -m benchmarks.camera`.

A counter of frames is burnt into what Chromium's fake camera shows. Two pages read it, the one that
sends from its own preview and the one that watches from its player, on one machine's clock.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from tests.edge_agent.media_tools import free_port
from tests.end_to_end.test_camera_to_viewer import Tab, go_live, tab
from tests.faults.street import FPS, HEIGHT, WIDTH, Picture, picture
from tests.fleet.devices import LIGHT, Device
from tests.fleet.planes import Plane

BITS, CELL, STRIP = 10, WIDTH // 20, 24  # a counter and its complement, as light and dark cells
COUNT = 1000
WATCH = """
const video = document.getElementById(arguments[0]);
const canvas = new OffscreenCanvas(20, 1);
const look = canvas.getContext("2d", { willReadFrequently: true });
window.seen = {};
const read = () => {
  const [w, h] = [video.videoWidth, video.videoHeight];
  look.drawImage(video, 0, h * 337 / 360, w, h * 22 / 360, 0, 0, 20, 1);
  const cells = look.getImageData(0, 0, 20, 1).data.filter((_, at) => at % 4 === 1);
  const bits = Array.from(cells, (one) => one > 127);
  const whole = bits.slice(0, 10).every((bit, at) => bit !== bits[at + 10]);
  const number = bits.slice(0, 10).reduce((sum, bit) => 2 * sum + bit, 0);
  if (whole) window.seen[number] ??= Date.now();
  video.requestVideoFrameCallback(read);
};
video.requestVideoFrameCallback(read);
"""


def main(seconds: Annotated[float, typer.Option(help="How long both pages look.")] = 30.0) -> None:
    """Measure on a machine that does nothing else: browsers, agent and server share its cores."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        fake = _write_camera(folder / "counted.mjpeg")
        plane = stack.enter_context(Plane(folder, "embedded", "embedded"))
        plane.ask("PUT", "/v1/protection", LIGHT)
        device = Device(folder, "phone", fake)
        plane.enrol(device)
        device.agent.start()
        stack.callback(device.agent.stop)
        sender = stack.enter_context(
            tab(
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-video-capture={fake}",
            )
        )
        go_live(sender, plane, free_port())
        sender.until(lambda: "Protected" in sender["badge"].text)
        stream = sender.browser.current_url.partition("/live/")[2].partition("?")[0]
        viewer = stack.enter_context(tab("--autoplay-policy=no-user-gesture-required"))
        viewer.browser.get(f"{plane.url}/watch/{stream}")
        viewer.until(lambda: viewer.played() > 2)
        for one, element in ((sender, "raw"), (viewer, "video")):
            one.browser.execute_script(WATCH, element)
        time.sleep(seconds)
        told = plane.agent("phone")["stream_states"][stream]
        delays = _delays(_seen(sender), _seen(viewer))
    typer.echo(
        json.dumps(
            {
                "benchmark": "camera_glass_to_glass",
                "frames": len(delays),
                "seconds_median": round(float(np.median(delays)), 2),
                "seconds_p95": round(float(np.percentile(delays, 95)), 2),
                "seconds_in_agent": round(told["delay"], 2),
                "fps_out": round(told["fps"], 1),
            }
        )
    )


def _write_camera(path: Path) -> Path:
    with path.open("wb") as out:
        for index in range(COUNT):
            bgr = cv2.cvtColor(_counted(index), cv2.COLOR_RGB2BGR)
            out.write(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    return path


def _counted(index: int) -> Picture:
    """The street with its number along the lower edge."""
    shown = picture(index)
    number = [index >> bit & 1 for bit in reversed(range(BITS))]
    cells = np.array(number + [1 - bit for bit in number], np.uint8) * 215 + 20
    shown[HEIGHT - STRIP :] = cells.repeat(CELL)[None, :, None]
    return shown


def _seen(page: Tab) -> dict[int, int]:
    found = page.browser.execute_script("return window.seen")
    return {int(number): int(ms) for number, ms in found.items()}


def _delays(sent: dict[int, int], shown: dict[int, int]) -> list[float]:
    """Seconds from where a number was sent to where it was shown next; the numbers come round."""
    turn = COUNT / FPS
    return [((shown[one] - sent[one]) / 1000) % turn for one in sent.keys() & shown.keys()]


if __name__ == "__main__":
    typer.run(main)
