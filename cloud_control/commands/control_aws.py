"""`veilcast control init-aws`, `export` and `import`: to AWS and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloud_control.commands.control import Data, control
from cloud_control.commands.failures import told

if TYPE_CHECKING:
    from cloud_control.ports import WholeStore

File = Annotated[Path, typer.Argument(metavar="FILE", help="Holds secrets: keep it to yourself.")]
Aws = Annotated[
    bool, typer.Option("--aws", help="Of AWS, by VEILCAST_AWS_*; otherwise of the data folder.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@control.command("init-aws")
def init_aws(
    data: Data = Path("veilcast-data"),
    empty: Annotated[
        bool, typer.Option("--empty", help="Without a token: for `veilcast control import`.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a control plane on AWS that Terraform has made: the model repository in its bucket,
    its keys in the data folder, and the first administrator's token, shown here and never again.

    Terraform's output names the VEILCAST_AWS_* variables that it needs.
    """
    from cloud_control.aws_start import begin

    with told():
        begun = begin(data, empty=empty)
    if as_json:
        typer.echo(json.dumps({"fleet": begun.fleet, "token": begun.token}))
        return
    typer.echo(f"The control plane of fleet {begun.fleet} has begun.")
    if begun.token is not None:
        typer.echo(f"First administrator's token, shown only now: {begun.token}")
    typer.echo(
        f"Move {begun.keys / 'root'} to a medium that you take away, and keep "
        f"{begun.keys / 'online'} where you publish models."
    )


@control.command("export")
def export(
    file: File, data: Data = Path("veilcast-data"), aws: Aws = False, as_json: Json = False
) -> None:
    """Write all documents to a file, to be imported elsewhere. Stop the control plane before, or
    what changes meanwhile may be missing."""
    from cloud_control.transfer import export as write

    with told(), _store(data, aws=aws) as (store, _):
        count = write(store, file)
    _done(count, f"{count} documents are in {file}. It holds secrets.", as_json=as_json)


@control.command("import")
def import_(
    file: File, data: Data = Path("veilcast-data"), aws: Aws = False, as_json: Json = False
) -> None:
    """Put the documents of an export into a control plane that has none yet. Certificates are not
    among them: devices join anew by claims for their names, and keep what they were told to be."""
    from cloud_control.transfer import fill

    with told(), _store(data, aws=aws) as (store, fleet):
        count = fill(store, file, fleet)
        if aws:
            from cloud_control.aws_start import begin_anew

            begin_anew()
    _done(count, f"{count} documents were imported.", as_json=as_json)


@contextmanager
def _store(data: Path, *, aws: bool) -> Iterator[tuple[WholeStore, str]]:
    """The documents, and the fleet that they are of."""
    if aws:
        from cloud_control.aws_start import store
        from cloud_control.lambdas.settings import settings

        yield store(), settings().fleet
        return
    from cloud_control.adapters.sqlite.store import SqliteStore
    from cloud_control.data_folder import DataFolder

    folder = DataFolder(data.resolve())
    fleet = folder.settled().fleet
    with folder.locked(), closing(SqliteStore(folder.database)) as local:
        yield local, fleet


def _done(count: int, words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps({"documents": count}) if as_json else words)
