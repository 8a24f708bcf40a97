"""What the demonstration found, and its summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from examples.spectator import Seen

COUNTED = ("frames_protected", "frames_veiled", "frames_rescued", "unverified_frames_sent")


@dataclass(slots=True)
class Line:
    """One stream. counts: of all its workers together; states: that the directory told of."""

    title: str
    counts: Counter[str] = field(default_factory=Counter)
    states: list[str] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    _newest: dict[str, float] = field(default_factory=dict)

    def add(self, totals: dict[str, float]) -> None:
        """A worker's totals; they begin anew with each worker."""
        for name, now in totals.items():
            before = self._newest.get(name, 0.0)
            self.counts[name] += int(now - before if now >= before else now)
        self._newest = totals

    def show(self, state: str) -> bool:
        """Whether the state is new to viewers now."""
        if self.states[-1:] == [state]:
            return False
        self.states.append(state)
        return True


@dataclass(slots=True)
class Result:
    """file: object-frames that can still be seen in the protected file, of how many; None: the
    end came first."""

    file: tuple[int, int] | None = None
    lines: dict[str, Line] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def leaked(self) -> int:
        return (self.file or (0, 0))[0] + sum(line.seen.leaked for line in self.lines.values())

    @property
    def bad(self) -> list[str]:
        """What went wrong, in words."""
        found = list(self.failures)
        if self.leaked:
            found.append(f"{self.leaked} object-frames leaked")
        for line in self.lines.values():
            if line.counts["unverified_frames_sent"]:
                found.append(f"{line.title}: frames were sent unverified")
            if not line.seen.objects or not line.counts["frames_protected"]:
                found.append(f"{line.title}: nothing was seen")
        return found


def summarise(console: Console, result: Result, out: Path) -> None:
    table = Table("stream", "protected", "veiled", "rescued", "looked at", "leaked", "states")
    if result.file is not None:
        shown, total = result.file
        table.add_row("the file", "", "", "", str(total), str(shown), "")
    for line in result.lines.values():
        counts = [str(line.counts[name]) for name in COUNTED[:3]]
        seen = (str(line.seen.objects), str(line.seen.leaked))
        table.add_row(line.title, *counts, *seen, ", ".join(dict.fromkeys(line.states)))
    console.print()
    console.print(table)
    console.print(
        "protected, veiled, rescued: frames that left; looked at, leaked: object-frames that were "
        "served and compared with the clip"
    )
    console.print(f"look at {out / 'look.png'}", soft_wrap=True)
    console.print(f"what the processes said is in {out / 'logs'}", soft_wrap=True)
    for words in result.bad:
        console.print(f"[bold red]failed:[/bold red] {words}")
    if not result.bad:
        console.print("[bold green]nothing leaked[/bold green]")
