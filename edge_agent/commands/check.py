"""`veilcast check`: is everything in place to go live, and if not, what would mend it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from edge_agent import flags
from edge_agent.build import camera_terms, encoder_settings
from edge_agent.detect.card import ModelCard, find_model, load_card, read_model
from edge_agent.detect.onnx_detector import OnnxDetector
from edge_agent.detect.self_test import self_test
from edge_agent.detect.variant import variant_for_this_cpu
from edge_agent.errors import SettingsError, VeilcastError
from edge_agent.local_api import LOOPBACK, listen_on_loopback
from edge_agent.media.probe import probe_encoder, probe_sink, probe_source
from edge_agent.settings import Settings

TIMED_LOOKS = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked, and what came of it in plain words."""

    name: str
    ok: bool
    words: str
    exit_code: int = 0


def check(
    source: Annotated[
        str | None, typer.Option("--source", "-i", metavar="WHERE", help="A source to try.")
    ] = None,
    sinks: Annotated[
        list[str] | None,
        typer.Option("--sink", "-o", metavar="WHERE", help="A sink to try; repeat for several."),
    ] = None,
    config: flags.Config = None,
    model: flags.Model = None,
    port: Annotated[int | None, typer.Option(help="Loopback port to try.")] = None,
    others: flags.Set = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a check.")] = False,
) -> None:
    """Try everything that a stream needs, and say in plain words what to mend.

    Settings, the model's card, its file, its eyes (a rendered plate, card
    and label must be found) and its speed, the encoder, the local port, and
    the source and sinks that you name. The exit status is 0 only if all is
    well.

    [bold]Examples[/bold]

      veilcast check

      veilcast check -i rtsp://camera.local/a -o rtmp://live.example/app/KEY
    """
    findings = []
    for finding in _findings(source, sinks or [], config, model, port, others or []):
        findings.append(finding)
        _tell(finding, as_json=as_json)
    failed = [finding for finding in findings if not finding.ok]
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _findings(
    source: str | None,
    sinks: list[str],
    config: Path | None,
    model: str | None,
    port: int | None,
    others: list[str],
) -> Iterator[Finding]:
    try:
        settings = flags.settings_from(config=config, model=model, port=port, others=others)
    except SettingsError as error:
        yield Finding("settings", ok=False, words=str(error), exit_code=error.exit_code)
        return
    yield Finding("settings", ok=True, words=str(config) if config else "flags and defaults")
    yield from _model(settings)
    encoder = encoder_settings(settings, live=True)
    yield _tried("encoder", partial(probe_encoder, encoder))
    yield _tried("local port", partial(_port, settings.live.port))
    if source is not None:
        yield _tried("source", partial(probe_source, source, camera_terms(settings.camera)))
    for sink in sinks:
        yield _tried("sink", partial(probe_sink, sink))


def _model(settings: Settings) -> Iterator[Finding]:
    """Card, file and eyes; what builds on a failure is not tried."""
    try:
        card = variant_for_this_cpu(load_card(find_model(settings.protect.model)))
    except VeilcastError as error:
        yield Finding("model card", ok=False, words=str(error), exit_code=error.exit_code)
        return
    yield Finding("model card", ok=True, words=f"{card.name} {card.version}")

    def file() -> str:
        return f"{card.file}: {len(read_model(card)) // 1024} KiB, as its card says"

    def eyes() -> str:
        scores = self_test(card)
        return ", ".join(
            f"{label.replace('_', ' ')} {score:.2f}" for label, score in scores.items()
        )

    intact = _tried("model file", file)
    yield intact
    if intact.ok:
        seeing = _tried("self-test", eyes)
        yield seeing
        if seeing.ok:
            yield _tried("speed", partial(_speed, card))


def _speed(card: ModelCard) -> str:
    picture = np.zeros((card.input.height, card.input.width, 3), np.uint8)
    seconds = []
    with closing(OnnxDetector(card)) as detector:
        for _ in range(TIMED_LOOKS):
            began = time.perf_counter()
            detector.look_rgb(picture)
            seconds.append(time.perf_counter() - began)
    return f"{min(seconds) * 1000:.1f} ms a look on one core, at best"


def _port(port: int) -> str:
    listener = listen_on_loopback(port)
    number = listener.getsockname()[1]
    listener.close()
    return f"{LOOPBACK}:{number} is free"


def _tried(name: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, words=attempt())
    except VeilcastError as error:
        return Finding(name, ok=False, words=str(error), exit_code=error.exit_code)


def _tell(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        record = asdict(finding)
        del record["exit_code"]
        typer.echo(json.dumps(record))
        return
    console = Console()
    mark = "[green]ok  [/green]" if finding.ok else "[red]FAIL[/red]"
    console.print(f"{mark} {finding.name:<11}", end=" ")
    console.print(finding.words, markup=False, highlight=False, soft_wrap=True)
