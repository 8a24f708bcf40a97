"""One line in the terminal that says how a live stream stands."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.live import Live
from rich.text import Text

from edge_agent.control import KEYS_HELP
from edge_agent.live_state import LiveState

COLOURS = {"PROTECTED": "green", "DEGRADED": "yellow", "HELD": "blue", "OFF": "red"}
EVERY_SECONDS = 0.5


class StatusLine:
    """Rewrites the line twice a second until closed; writes nothing when there is no terminal."""

    def __init__(self, state: LiveState, console: Console) -> None:
        self._state = state
        self._console = console
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="status line", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _work(self) -> None:
        if not self._console.is_terminal:
            return
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            while not self._closed.wait(EVERY_SECONDS):
                live.update(self._line(), refresh=True)

    def _line(self) -> Text:
        now = self._state.document()
        counts, delay = now["counts"], now["delay_seconds"]
        line = Text(f" {now['state']} ", style=f"bold white on {COLOURS[now['state']]}")
        if now["reason"]:
            line.append(f" {now['reason']}", style="not bold default on default")
        connected = sum(sink["connected"] for sink in now["sinks"])
        facts = [
            f"{now['fps']:.0f} fps",
            f"{now['looks_per_second']:.0f} looks/s",
            f"delay {delay:.1f} s" if delay is not None else "no picture yet",
            f"{sum(counts['objects'].values())} objects",
            f"{counts['veiled']} veiled",
            f"{counts['dropped']} dropped",
            f"{connected}/{len(now['sinks'])} outputs",
            KEYS_HELP,
        ]
        line.append("  " + "  ".join(facts), style="not bold default on default")
        return line
