"""Recorded video: which files to protect, and how one is protected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.build import Model, build_pipeline, encoder_settings
from edge_agent.contact_sheet import ContactSheet, check_suffix
from edge_agent.counts import Counts
from edge_agent.errors import SourceError, VeilcastError
from edge_agent.media.container import FILE_CONTAINERS
from edge_agent.media.source import open_source
from edge_agent.media.writer import FileWriter
from edge_agent.options import Observer
from edge_agent.report import ReportWriter
from edge_agent.settings import Settings

VIDEO_SUFFIXES = {
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One file to protect, and what to leave beside it."""

    source: Path
    target: Path
    report: Path | None = None
    contact_sheet: Path | None = None
    observers: tuple[Observer, ...] = field(default=())


def redact_file(
    job: Job,
    settings: Settings,
    model: Model,
    opened: Callable[[float | None], None] = lambda _: None,
) -> Counts:
    """Protect one file. The target appears under its name only when it is complete; on any error
    or interrupt nothing of it stays. `opened` is told how long the source is, in seconds. Raises
    SourceError or SinkError."""
    if job.contact_sheet:
        check_suffix(job.contact_sheet)
    source = open_source(str(job.source))
    opened(source.info.duration_s)
    observers = job.observers
    report = ReportWriter(job.report) if job.report else None
    sheet = ContactSheet() if job.contact_sheet else None
    observers += tuple(part.see for part in (report, sheet) if part is not None)
    writer = FileWriter(job.target, source.info, encoder_settings(settings, live=False))
    job.target.parent.mkdir(parents=True, exist_ok=True)
    pipeline, outlet = build_pipeline(
        source, writer, settings, model, live=False, observers=observers
    )
    try:
        counts = pipeline.run()
        outlet.close()
    except BaseException:
        outlet.abort()
        if report:
            report.abort()
        raise
    if report:
        report.close()
    if sheet and job.contact_sheet:
        sheet.write(job.contact_sheet)
    return counts


def jobs_in(folder: Path, target: Path) -> Iterator[Job]:
    """Every video below `folder`, with its place below `target`; finished ones are left out."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in VIDEO_SUFFIXES or not path.is_file():
            continue
        output = target / path.relative_to(folder)
        if path.suffix.lower() not in FILE_CONTAINERS:
            output = output.with_name(output.name + ".mp4")
        if not output.exists():
            yield Job(path, output)


def single_job(source: Path, target: Path, *, force: bool) -> Job:
    """Check the two paths of one file. Raises SourceError or SettingsError before any work."""
    if not source.exists():
        raise SourceError(f"no such file: {source}")
    if target.is_dir():
        target = target / source.name
    if target.exists() and target.samefile(source):
        raise VeilcastError("the output would overwrite the input: choose another name")
    if target.exists() and not force:
        raise VeilcastError(f"{target} exists: add --force to replace it")
    return Job(source, target)
