"""Real agents on real folders: each loops the street clip into a file that is looked at."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path

from tests.faults.street import (
    PLATE_HEIGHT,
    PLATE_TOP,
    Picture,
    assert_plate_hidden,
    lumas,
    shows_scene,
)
from tests.fleet.processes import Daemon, veilcast

SOURCE, SINK = "cam", "archive"
ROAD = slice(PLATE_TOP - 8, PLATE_TOP + PLATE_HEIGHT + 8)  # the rows in which the plate drives
LIGHT = {"looks_per_second": 4.0, "second_looks": 0.0}  # so that slow machines keep up
SETTINGS = """\
[protect]
looks_per_second = 4
second_looks = 0
[encode]
preset = "ultrafast"
"""
MOST_PICTURES = 400  # looked at of all recordings of a device, evenly spread


class Device:
    """One enrolled device and its agent."""

    def __init__(self, folder: Path, name: str, street: Path) -> None:
        self.name = name
        self.home = folder / name
        self.videos = folder / f"{name}-videos"
        self.videos.mkdir(parents=True, exist_ok=True)
        self._street = street
        self.agent = Daemon(folder / f"{name}.log", "agent", "--home", self.home)

    def enrol(self, control: str, authority: Path, token: str) -> None:
        """By the command that an owner types."""
        veilcast(
            "enroll", "--control", control, "--ca", authority, "--name", self.name,
            "--home", self.home, "--token-file", "-", given=token,
        )  # fmt: skip
        self.write_settings()

    def adopt(self, fleet: str, certificate: Path, key: Path, authority: Path, port: int) -> None:
        """As if enrolled, with an identity made elsewhere and no control plane to ask."""
        self.home.mkdir(mode=0o700, parents=True)
        for path, name in ((certificate, "device.crt"), (key, "device.key"), (authority, "ca.crt")):
            shutil.copy(path, self.home / name)
            (self.home / name).chmod(0o600)
        nowhere = "https://127.0.0.1:1"
        details = {
            "fleet": fleet, "agent": self.name, "control": nowhere,
            "broker": {"host": "127.0.0.1", "port": port},
            "metadata_url": f"{nowhere}/metadata/", "targets_url": f"{nowhere}/targets/",
        }  # fmt: skip
        (self.home / "agent.json").write_text(json.dumps(details))
        (self.home / "root.json").write_text("{}")
        self.write_settings()

    def write_settings(self, recording: str = "1") -> None:
        """A recording of its own for each run: an agent would not write over one."""
        sink = self.videos / f"{recording}.mkv"
        (self.home / "device.toml").write_text(
            f"{SETTINGS}[sources.{SOURCE}]\naddress = '{self._street}'\nloop = true\n"
            f"[sinks]\n{SINK} = '{sink}'\n"
        )

    def wanted_stream(self, stream: str = "cam-1") -> dict[str, object]:
        """A stream of this device, as a desired document lists it."""
        return {"id": stream, "source": {"ref": SOURCE}, "sinks": [{"ref": SINK}]}

    def kill(self) -> None:
        """The agent only; its workers notice."""
        self.agent.kill()

    def pictures(self) -> list[Picture]:
        """Pictures that left, from the first to the last of all recordings."""
        found = [luma for path in sorted(self.videos.glob("*")) for luma in lumas(path)]
        return found[:: 1 + len(found) // MOST_PICTURES]

    def assert_nothing_leaked(self) -> None:
        """No picture shows the plate, and there are some that show the rest of the street."""
        pictures = self.pictures()
        assert pictures, "nothing was recorded"
        assert_plate_hidden([luma[ROAD] for luma in pictures])
        assert any(shows_scene(luma) for luma in pictures)


def longest_gap(video: Path) -> float:
    """Seconds between two neighbouring pictures of a recording, at most."""
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time",
         "-of", "csv=p=0", str(video)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    times = sorted(float(line.split(",")[0]) for line in shown.split() if line[0].isdigit())
    return max(after - before for before, after in itertools.pairwise(times))
