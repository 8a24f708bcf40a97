"""`veilcast run` and `veilcast preview`: live video in, protected video out."""

from __future__ import annotations

import json
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_agent import flags
from edge_agent.build import camera_terms, load_model
from edge_agent.control import steered
from edge_agent.errors import SettingsError, SinkError
from edge_agent.live_stream import LiveStream
from edge_agent.logs import configure_logs
from edge_agent.media.source import open_source
from edge_agent.media.urls import redact_url
from edge_agent.settings import Settings
from edge_agent.status_line import StatusLine

SourceFlag = Annotated[
    str,
    typer.Option(
        "--source", "-i", metavar="WHERE",
        help="listen:rtmp://0.0.0.0:1935/live/KEY (OBS or a phone pushes here), "
        "listen:http://127.0.0.1:8889/whip/KEY (by WHIP, such as a browser's camera), an rtmp(s), "
        "rtsp, srt, http(s) or HLS address, camera:0, screen:, or a file at its own speed.",
    ),
]  # fmt: skip
SinkFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--sink", "-o", metavar="WHERE",
        help="rtmp(s)://…, srt://…, a FOLDER/ for HLS, or a recording (.mp4, .mkv, .flv). "
        "Repeat it for several: none waits for another.",
    ),
]  # fmt: skip
Loop = Annotated[bool, typer.Option("--loop", help="Play a file again and again.")]
Port = Annotated[
    int | None,
    typer.Option(help="Loopback port of the preview, panic and metrics; 0 takes any free one."),
]
Report = Annotated[Path | None, typer.Option(help="JSON Lines of what was hidden, per frame.")]


def run(
    source: SourceFlag,
    sinks: SinkFlag = None,
    loop: Loop = False,
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
    port: Port = None,
    report: Report = None,
    others: flags.Set = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Protect live video on its way to one or more destinations.

    Nothing leaves undecided: when the detector is late, hangs or
    fails, viewers see a veil until it is back. Press p to panic (drop
    what is held and show nothing), r to release, q to quit. SIGUSR1
    and SIGUSR2, and POST /panic and /release on the loopback port,
    panic and release as well.

    [bold]Examples[/bold]

      veilcast run -i listen:rtmp://0.0.0.0:1935/live/mykey \\
        -o rtmp://ingest.example/app/KEY

      veilcast run -i camera:0 -o show.mkv -o public/show/
    """
    if not sinks:
        raise SettingsError("name at least one --sink, or use 'veilcast preview' to only look")
    settings = flags.settings_from(
        config=config, model=model, thresh=thresh, show=show, replacewith=replacewith,
        mask_scale=mask_scale, look_ahead=look_ahead, preset=preset, bitrate=bitrate, crf=crf,
        port=port, others=others,
    )  # fmt: skip
    _stream(source, sinks, settings, loop=loop, report=report, as_json=as_json, browser=False)


def preview(
    source: SourceFlag,
    loop: Loop = False,
    config: flags.Config = None,
    model: flags.Model = None,
    thresh: flags.Thresh = None,
    show: flags.Show = None,
    replacewith: flags.ReplaceWith = None,
    mask_scale: flags.MaskScale = None,
    look_ahead: flags.LookAhead = None,
    port: Port = None,
    others: flags.Set = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """See in a browser what viewers would see, without sending anything.

    [bold]Example[/bold]

      veilcast preview -i camera:0
    """
    settings = flags.settings_from(
        config=config, model=model, thresh=thresh, show=show, replacewith=replacewith,
        mask_scale=mask_scale, look_ahead=look_ahead, port=port, others=others,
    )  # fmt: skip
    _stream(source, [], settings, loop=loop, report=None, as_json=False, browser=browser)


def _stream(
    url: str,
    sinks: list[str],
    settings: Settings,
    *,
    loop: bool,
    report: Path | None,
    as_json: bool,
    browser: bool,
) -> None:
    """Build one live stream, steer it until it ends, and tell how it went."""
    configure_logs(settings.log)
    console = Console(stderr=True)
    model = load_model(settings)
    with ExitStack() as stack:
        source = open_source(url, live=True, loop=loop, camera=camera_terms(settings.camera))
        stack.callback(source.close)
        console.print(f"waiting for {redact_url(url)}", highlight=False)
        stream = LiveStream(
            source, tuple(sinks), settings, model, report=report, port=settings.live.port
        )
        stack.callback(stream.close)
        console.print(f"preview, panic and metrics: {stream.url}", highlight=False)
        if browser:
            webbrowser.open(stream.url)
        line = StatusLine(stream.state, console)
        stack.callback(line.close)
        with steered(stream.pipeline):
            counts = stream.run()
    if as_json:
        typer.echo(json.dumps(counts.summary()))
    else:
        console.print(
            f"protected {counts.protected} frames, rescued {counts.rescued} by the look-ahead, "
            f"veiled {counts.veiled}, dropped {counts.dropped_in + counts.dropped_out}",
            highlight=False,
        )
    for sink in stream.given_up[:1]:
        raise SinkError(f"{sink.url}: {sink.failed}")
