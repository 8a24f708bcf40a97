"""`veilcast redact`: recorded video in, protected video out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from edge_agent import flags
from edge_agent.build import Model, load_model
from edge_agent.commands.upload import Home, Outbox, Token, finish, uploader_to
from edge_agent.counts import Counts
from edge_agent.errors import SettingsError, VeilcastError
from edge_agent.logs import configure_logs
from edge_agent.recorded import Job, jobs_in, redact_file, single_job
from edge_agent.redact.protected import ProtectedFrame
from edge_agent.settings import Settings
from edge_agent.spool.store import folders_in
from edge_agent.when import when_from


def redact(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video, or a folder of videos.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where the protected one goes.")],
    config: flags.Config = None,
    model: flags.Model = None,
    thresh: flags.Thresh = None,
    show: flags.Show = None,
    replacewith: flags.ReplaceWith = None,
    mask_scale: flags.MaskScale = None,
    look_ahead: flags.LookAhead = None,
    preset: flags.Preset = None,
    bitrate: flags.Bitrate = None,
    crf: flags.Crf = None,
    others: flags.Set = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write what was hidden in each frame, as JSON Lines, to this file."),
    ] = None,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(help="Write one picture of the protected video to look over (PNG, JPEG)."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace OUT if it exists.")] = False,
    when: Annotated[
        str | None,
        typer.Option(
            metavar="idle | HH:MM-HH:MM",
            help="Begin each file only in these hours, or while the CPU has little to do.",
        ),
    ] = None,
    upload: Annotated[
        str | None,
        typer.Option(
            metavar="URL | control",
            help="Upload each finished file of a folder: below an http(s) folder that takes PUT, "
            "or to the control plane of this device.",
        ),
    ] = None,
    token_file: Token = None,
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Hide shipping labels, ID cards and license plates in recorded video.

    Sound is copied as it is. OUT gets its name only when it is
    complete. A folder is worked off file by file, and what is
    finished is skipped the next time.

    [bold]Examples[/bold]

      veilcast redact holiday.mp4 holiday-safe.mp4 --contact-sheet look.png

      veilcast redact videos/ safe/ --thresh 0.3 --preset fast --crf 20

      veilcast redact videos/ safe/ --when 22:00-06:00 --upload control
    """
    settings = flags.settings_from(
        config=config, model=model, thresh=thresh, show=show, replacewith=replacewith,
        mask_scale=mask_scale, look_ahead=look_ahead, preset=preset, bitrate=bitrate, crf=crf,
        others=others,
    )  # fmt: skip
    configure_logs(settings.log)
    jobs = _jobs(source, target, report, contact_sheet, force=force)
    hours = when_from(when) if when else None
    outbox = _outbox(source, target, upload, token_file, home)
    detector = load_model(settings)
    console = Console(stderr=True)
    if outbox and (strangers := outbox.unlisted()):
        console.print(
            f"{strangers} videos in {target} were made without --upload and stay here: delete them "
            "to have them made and uploaded", highlight=False,
        )  # fmt: skip
    failures = 0
    for job in jobs:
        if hours:
            hours.wait()
        try:
            counts = _with_progress(console, job, settings, detector)
        except VeilcastError as error:
            if len(jobs) == 1 and not source.is_dir():
                raise
            failures += 1
            console.print(f"[red]{job.source}:[/red] {error}", highlight=False)
            continue
        _tell(console, job, counts, as_json=as_json)
        if outbox:
            outbox.add(job.target)
    if not jobs:
        console.print("nothing to do: every video in the folder is finished")
    if outbox:
        finish(outbox.uploader, as_json=as_json)
    if failures:
        raise VeilcastError(f"{failures} of {len(jobs)} files could not be protected")


def _jobs(
    source: Path, target: Path, report: Path | None, contact_sheet: Path | None, *, force: bool
) -> list[Job]:
    if not source.is_dir():
        job = single_job(source, target, force=force)
        return [replace(job, report=report, contact_sheet=contact_sheet)]
    if report or contact_sheet:
        raise SettingsError("--report and --contact-sheet go with a single file")
    if target.exists() and not target.is_dir():
        raise SettingsError(f"{target} is a file: a folder in needs a folder out")
    return list(jobs_in(source, target))


def _outbox(
    source: Path, target: Path, upload: str | None, token_file: Path | None, home: Path | None
) -> Outbox | None:
    if upload is None:
        return None
    if not source.is_dir():
        raise SettingsError("--upload goes with a folder")
    to = None if upload == "control" else upload
    folder = target.absolute()
    return Outbox(folder, uploader_to(to, lambda: folders_in(folder), token_file, home))


class _Bar:
    """Moves a progress bar from the pipeline's thread, a few times a second at most."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._frames = 0

    def see(self, frame: ProtectedFrame, rescued: bool) -> None:  # noqa: ARG002
        self._frames += 1
        if self._frames % 10 == 0:
            speed = self._progress.tasks[self._task].finished_speed
            elapsed = self._progress.tasks[self._task].elapsed or 0.0
            fps = speed or self._frames / max(elapsed, 1e-6)
            self._progress.update(self._task, completed=frame.time_ns / 1e9, fps=f"{fps:.0f} fps")


def _with_progress(console: Console, job: Job, settings: Settings, model: Model) -> Counts:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[fps]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(job.source.name, total=None, fps="")
        bar = _Bar(progress, task)

        def opened(duration_s: float | None) -> None:
            progress.update(task, total=duration_s)

        return redact_file(replace(job, observers=(bar.see,)), settings, model, opened)


def _tell(console: Console, job: Job, counts: Counts, *, as_json: bool) -> None:
    """The summary: a table for people on stderr, or one JSON object on stdout."""
    if as_json:
        summary = {"input": str(job.source), "output": str(job.target), **counts.summary()}
        typer.echo(json.dumps(summary))
        return
    table = Table(title=f"{job.source.name} -> {job.target}", show_header=False)
    for label, number in counts.objects.items():
        table.add_row(label.replace("_", " ") + "s hidden", str(number))
    table.add_row("frames protected", str(counts.protected))
    table.add_row("frames rescued by the look-ahead", str(counts.rescued))
    table.add_row("frames veiled", str(counts.veiled))
    for reason, number in counts.veil_reasons.most_common():
        table.add_row(f"  {reason}", str(number))
    console.print(table)
