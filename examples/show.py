"""The live part of the demonstration: two streams, and what befalls the second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

from rich.console import Console

from examples.clip import DRIVE, HELD_CARD, PARCEL, Scene
from examples.faults import Fault, order
from examples.installation import DemoError, Installation
from examples.report import COUNTED, Line, Result

FPS, SIZE = 24, (640, 360)
TICK_S = 0.25
COUNT_S = 4.0
FAULT_S, REST_S = 3.5, 4.0


@dataclass(frozen=True, slots=True)
class Stream:
    id: str
    agent: str
    title: str
    category: int
    scenes: tuple[Scene, ...]


STREAMS = (
    Stream("drive", "van-1", "A drive through town", 4, (DRIVE, PARCEL, HELD_CARD)),
    Stream("parcels", "desk-2", "Parcels on a bad day", 8, (PARCEL, HELD_CARD, DRIVE)),
)


class Show:
    """faults: the file that orders faults of the second stream's detector."""

    def __init__(self, there: Installation, faults: Path, console: Console, result: Result) -> None:
        self.url, self.token = there.url, there.token
        self._there, self._faults, self._console = there, faults, console
        self._lines = result.lines
        self._began = time.monotonic()
        self._victim = STREAMS[1]
        for one in STREAMS:
            self._lines[one.id] = Line(one.title)

    def start(self) -> None:
        """Wait until both streams are live. Raises DemoError."""
        order(self._faults, Fault.NONE)
        for one in STREAMS:
            self._there.start_agent(one.agent, self._faults if one is self._victim else None)
        for one in STREAMS:
            self._there.wait_for(partial(self._on_the_air, one), f"“{one.title}” is live")
        self._began = time.monotonic()

    def run(self, seconds: float, ending: threading.Event) -> None:
        """Until the time is over or the end is asked for. Raises DemoError."""
        script = self._script()
        next_act, next_count = self._began + REST_S, self._began + COUNT_S
        while not ending.wait(TICK_S) and (now := time.monotonic()) < self._began + seconds:
            self._there.check()
            self._follow()
            if now >= next_count:
                self.count()
                next_count = now + COUNT_S
            if now >= next_act:
                next_act = time.monotonic() + next(script)
        order(self._faults, Fault.NONE)

    def count(self) -> None:
        """Add what the agents have counted."""
        for one in STREAMS:
            numbers = self._there.command(one.agent, "snapshot-metrics").get("numbers", {})
            names = {name: numbers.get(f"{one.id}.{name}") for name in COUNTED}
            self._lines[one.id].add({k: v for k, v in names.items() if v is not None})

    def _on_the_air(self, one: Stream) -> bool:
        listed = self._there.ask("GET", "/v1/directory")["streams"]
        return any(each["id"] == one.id for each in listed)

    def _follow(self) -> None:
        """Tell what viewers are told."""
        listed = {one["id"]: one for one in self._there.ask("GET", "/v1/directory")["streams"]}
        for one in STREAMS:
            state = (listed[one.id]["state"] or "UNKNOWN") if one.id in listed else "INTERRUPTED"
            if self._lines[one.id].show(state):
                self._say(f"viewers of “{one.title}” see {state}")

    def _script(self) -> Iterator[float]:
        """One act after another; yields the seconds until the next."""
        faults = {
            Fault.HANG: "the detector hangs",
            Fault.STARVE: "the detector gets too little of the CPU",
            Fault.FAIL: "the detector fails",
        }
        for fault in cycle(faults):
            self._say(f"[bold]{faults[fault]}[/bold]")
            order(self._faults, fault)
            yield FAULT_S
            order(self._faults, Fault.NONE)
            yield REST_S
            if fault is Fault.HANG:
                self._say("[bold]its process is killed[/bold]")
                self.count()
                self._there.kill_workers(self._victim.agent)
                yield FAULT_S + REST_S
            elif fault is Fault.STARVE:
                self._say("[bold]an operator veils it; its owner allows to lift the veil[/bold]")
                self._veil(on=True)
                yield FAULT_S
                self._veil(on=False)
                yield REST_S

    def _veil(self, *, on: bool) -> None:
        one = self._victim
        if not on:
            self._there.consent(one.agent, one.id, "unveil")
        ack = self._there.command(one.agent, "veil" if on else "unveil", stream=one.id)
        if ack.get("outcome") not in {"done", "accepted"}:
            raise DemoError(f"the agent did not {'veil' if on else 'unveil'}: {ack}")

    def _say(self, words: str) -> None:
        self._console.print(f"{time.monotonic() - self._began:5.0f} s  {words}")
