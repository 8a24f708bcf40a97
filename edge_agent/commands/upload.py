"""`veilcast upload`: what waits in spools and folders goes to a server."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from edge_agent import flags
from edge_agent.errors import UploadError
from edge_agent.logs import configure_logs
from edge_agent.media.container import FILE_CONTAINERS
from edge_agent.spool.store import folders_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_agent.upload.uploader import Tally, Uploader

Home = Annotated[
    Path | None,
    typer.Option(envvar="VEILCAST_HOME", help="The enrolled device's folder."),
]
Token = Annotated[
    Path | None,
    typer.Option("--token-file", help="File with a bearer token for the server of --to."),
]


def upload(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A spool, a folder of spools, or of videos.")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An http(s) folder that takes PUT. Default: the control plane of this device.",
        ),
    ] = None,
    token_file: Token = None,
    key: Annotated[
        Path | None,
        typer.Option(help="Key of an encrypted spool, if it is not where it was."),
    ] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="BITS", help="Bits a second at most, such as 2M.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on for ever: upload what comes, too.")
    ] = False,
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Upload spooled and recorded video, and delete each spooled
    segment once the server has confirmed its checksum.

    It goes on where it broke off, and tries again for as long as it
    takes. Only what Veilcast itself has protected and listed is sent.

    [bold]Examples[/bold]

      veilcast upload /var/lib/veilcast/spool --limit 2M --follow

      veilcast upload safe/ --to https://store.example/incoming --token-file token
    """
    configure_logs("human")
    rate = None if limit is None else flags.bits(limit, "--limit")
    if not folder.is_dir():
        raise UploadError(f"no such folder: {folder}")
    folder = folder.absolute()
    if not folders_in(folder) and not follow:
        raise UploadError(
            f"nothing in {folder} is listed for upload: name a spool, or a folder that "
            "'veilcast redact --upload' has filled"
        )
    uploader = uploader_to(to, lambda: folders_in(folder), token_file, home, rate, key)
    if follow:
        uploader.run(threading.Event())
    finish(uploader, as_json=as_json)


class Outbox:
    """Finished recordings of one folder, listed one by one and uploaded as far as it goes."""

    def __init__(self, folder: Path, uploader: Uploader) -> None:
        self._folder = folder.absolute()
        self.uploader = uploader

    def unlisted(self) -> int:
        """How many videos of the folder are not listed: nothing proves that they are protected."""
        from edge_agent.spool.index import NAME, Index

        files = [path for path in self._folder.rglob("*") if path.suffix in FILE_CONTAINERS]
        if not files or not (self._folder / NAME).exists():
            return len(files)
        index = Index(self._folder)
        try:
            names = [path.relative_to(self._folder).as_posix() for path in files]
            return sum(index.named(name) is None for name in names)
        finally:
            index.close()

    def add(self, path: Path) -> None:
        """List a file that has just been protected, and try to upload all that is listed."""
        from edge_agent.spool.store import Store
        from edge_agent.upload.uploader import Tally

        store = Store(self._folder, keeps=True)
        try:
            store.register(path.absolute(), started_at=int(time.time() * 1000))
        finally:
            store.close()
        with suppress(UploadError):  # tried again after the next file, and at the end for longer
            self.uploader.round(Tally())


def finish(uploader: Uploader, *, as_json: bool) -> None:
    """Upload all that waits, and say how it went. Raises UploadError when something was refused."""
    tally = uploader.drain(threading.Event())
    _tell(tally, as_json=as_json)
    if tally.refused:
        name, why = next(iter(tally.refused.items()))
        raise UploadError(f"{len(tally.refused)} were refused; {name}: {why}")


def uploader_to(
    to: str | None,
    folders: Callable[[], Sequence[Path]],
    token_file: Path | None,
    home: Path | None,
    bits_per_second: int | None = None,
    key_file: Path | None = None,
) -> Uploader:
    """An uploader to a plain server, or to the control plane when `to` is None."""
    from edge_agent.upload.desk import PlainDesk
    from edge_agent.upload.uploader import Uploader

    if to is None:
        from edge_agent.fleet.home import home_at
        from edge_agent.upload.enrolled import enrolled_uploader

        return enrolled_uploader(
            home_at(home), folders=folders, bits_per_second=bits_per_second, key_file=key_file
        )
    token = _token(token_file) if token_file else None
    return Uploader(
        folders, PlainDesk(to, token), bits_per_second=bits_per_second, key_file=key_file
    )


def _token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, ValueError):
        raise UploadError(f"cannot read the token in {path}") from None
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise UploadError(f"{path} holds no token: one line without spaces is expected")
    return token


def _tell(tally: Tally, *, as_json: bool) -> None:
    summary = {"uploaded": tally.sent, "bytes": tally.bytes, "refused": len(tally.refused or {})}
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        words = f"uploaded {tally.sent} ({tally.bytes / 1e6:.1f} MB)"
        Console(stderr=True).print(words, highlight=False)
