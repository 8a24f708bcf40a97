"""All ids of the original app at once: `python -m benchmarks.phones`.

One gateway, one agent: each phone asks for an id, pushes the street to it, and is watched by a
player of its own. Printed as JSON: how long an id took, how long a player took to see its pictures,
and in how many of them something of the plate showed, which must be none.
"""

from __future__ import annotations

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer

from benchmarks.directory_delay import summary
from cloud_control.domain.original_app import IDS
from examples.original_app import Gateway, pushing, watched
from tests.cloud_control.brokers import HOST, free_port
from tests.end_to_end.phone import with_sound
from tests.faults.street import shows_plate, shows_scene, write_street
from tests.fleet.devices import LIGHT, Device
from tests.fleet.planes import Plane
from tests.fleet.processes import wait_for


def main(
    pictures: Annotated[int, typer.Option(help="That each player looks at.")] = 40,
) -> None:
    """Measure with a light load: 640 x 360, four looks a second."""
    http = free_port()
    options = ("--original-app", "gate", "--original-app-port", str(http))
    with (
        tempfile.TemporaryDirectory() as name,
        Plane(Path(name), "embedded", "nginx", *options) as plane,
        ExitStack() as stack,
    ):
        folder = Path(name)
        clip = with_sound(write_street(folder / "street.mp4", 4.0), folder / "phone.mp4")
        device = Device(folder, "gate", clip)
        plane.ask("PUT", "/v1/protection", LIGHT)
        plane.enrol(device)
        device.agent.start()
        stack.callback(device.agent.stop)
        wait_for(lambda: plane.agent("gate")["online"], "the agent is online")
        gateway, ids, took = Gateway(HOST, http, plane.ingest_port), [], []
        for number in range(IDS):
            began = time.monotonic()
            made = gateway.asks("POST", "/streaming", title=f"phone {number}", category="4")
            took.append(time.monotonic() - began)
            ids.append(made["streaming"]["streaming_id"])
            stack.enter_context(pushing(gateway, ids[-1], str(clip)))
        one_more = gateway.asks("POST", "/streaming", title="one too many", category="4")

        def watch(number: int) -> tuple[float, int, int, int]:
            began = time.monotonic()
            shown, sounds = watched(gateway, number, pictures)
            lumas = [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in shown]
            leaks, scenes = sum(map(shows_plate, lumas)), sum(map(shows_scene, lumas))
            return time.monotonic() - began, sounds, scenes, leaks

        with ThreadPoolExecutor(IDS) as pool:
            waits, sounds, scenes, leaks = zip(*pool.map(watch, ids), strict=True)
        states = [one["state"] for one in plane.agent("gate")["stream_states"].values()]
        for number in ids:
            gateway.asks("GET", f"/release/{number}")
        found = {
            "benchmark": "phones",
            "ids": len(set(ids)),
            "one_more": one_more["result"],
            "id": summary(took),
            "pictures": summary(list(waits)),
            "with_sound": sum(one > 0 for one in sounds),
            "shows_scene": sum(scenes),
            "shows_plate": sum(leaks),
            "protected": states.count("PROTECTED"),
            "left": len(gateway.asks("GET", "/streamings")["list"]),
            "load": psutil.getloadavg()[0],
        }
        typer.echo(json.dumps(found))


if __name__ == "__main__":
    typer.run(main)
