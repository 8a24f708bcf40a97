"""`veilcast models`: the operator's hand on the signed model repository."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloud_control.commands.failures import told

if TYPE_CHECKING:
    from cloud_control.tuf.repository import ModelRepository, PublishedModel

models = typer.Typer(
    no_args_is_help=True,
    help="Publish, promote and revoke detector models, and keep their signatures.",
)

ROOT_WARNING = timedelta(days=60)

Data = Annotated[
    Path,
    typer.Option("--data", metavar="DIR", help="The control plane's data folder."),
]
RootKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--root-keys",
        metavar="DIR",
        help="Where the root keys lie; repeat for several. Default: keys/root in the data folder. "
        "Keep them on a medium of their own and bring it only for init and rotate-key.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Name = Annotated[str, typer.Argument(help="The model's name.")]
Version = Annotated[str, typer.Argument(help="Its version, such as 0.4.0.")]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a data folder lie."""

    data: Path

    def repository(self, root_keys: list[Path] | None) -> ModelRepository:
        """In the folder, or in the bucket that it names."""
        from cloud_control.tuf.files import BUCKET_FILE
        from cloud_control.tuf.repository import ModelRepository, RepositoryKeys

        if (self.data / BUCKET_FILE).exists():
            from cloud_control.aws_start import repository

            return repository(self.data, root_keys)
        root = root_keys or [self.data / "keys" / "root"]
        return ModelRepository(
            self.data / "models", RepositoryKeys(self.data / "keys" / "online", root)
        )


@models.command("init")
def init(
    data: Data = Path("veilcast-data"),
    root_keys: RootKeys = None,
    count: Annotated[int, typer.Option("--keys", min=1, max=9, help="Root keys to make.")] = 1,
    threshold: Annotated[
        int, typer.Option(min=1, max=9, help="How many of them must sign a new root.")
    ] = 1,
    timestamp_days: Annotated[
        int,
        typer.Option(
            min=1, max=365, help="Devices distrust a repository not refreshed for so long."
        ),
    ] = 7,
    root_days: Annotated[int, typer.Option(min=30, max=3650, help="Life of the root.")] = 365,
    as_json: Json = False,
) -> None:
    """Make keys and an empty model repository."""
    from cloud_control.tuf.repository import DAYS

    with told():
        repository = Places(data).repository(root_keys)
        days = {**DAYS, "timestamp": timestamp_days, "root": root_days}
        repository.create(days=days, root_keys=count, threshold=threshold)
    where = str(repository.keys.root[0])
    if as_json:
        typer.echo(json.dumps({"models": str(repository.files), "root_keys": where}))
        return
    typer.echo(f"The model repository is in {repository.files}.")
    typer.echo(
        f"Move {where} to a medium that you take away, and keep a copy: whoever has these keys can "
        "publish models to every device, and without them no key can be changed."
    )


@models.command("publish")
def publish(
    card: Annotated[Path, typer.Argument(metavar="CARD", help="The model's card, NAME.json.")],
    data: Data = Path("veilcast-data"),
    channel: Annotated[str, typer.Option(metavar="canary | stable")] = "canary",
    as_json: Json = False,
) -> None:
    """Sign a model and let devices see it. An int8 form beside the card goes with it.

    Nothing is installed by this: start a rollout for that.
    """
    from cloud_control.tuf.files import persistently
    from cloud_control.tuf.model_files import read_model_files

    with told():
        repository = Places(data).repository(None)
        files, where = read_model_files(card), _channel(channel)
        found = persistently(lambda: repository.publish(files, where))
    _show([found], as_json=as_json)


@models.command("list")
def list_(data: Data = Path("veilcast-data"), as_json: Json = False) -> None:
    """Show what is published."""
    with told():
        found = Places(data).repository(None).models()
    _show(found, as_json=as_json)


@models.command("promote")
def promote(
    name: Name, version: Version, data: Data = Path("veilcast-data"), as_json: Json = False
) -> None:
    """Move a model from the channel canary to the channel stable."""
    from cloud_control.tuf.files import persistently

    with told():
        repository = Places(data).repository(None)
        persistently(lambda: repository.promote(name, version))
    _done({"promoted": name, "version": version}, f"{name} {version} is stable.", as_json=as_json)


@models.command("revoke")
def revoke(
    name: Name, version: Version, data: Data = Path("veilcast-data"), as_json: Json = False
) -> None:
    """Take a model away: no device installs it from now on.

    Devices that run it go on with it until a rollout gives them another.
    """
    from cloud_control.tuf.files import persistently

    with told():
        repository = Places(data).repository(None)
        persistently(lambda: repository.revoke(name, version))
    words = f"{name} {version} is revoked. Start a rollout of another model for those that run it."
    _done({"revoked": name, "version": version}, words, as_json=as_json)


@models.command("refresh")
def refresh(
    data: Data = Path("veilcast-data"), root_keys: RootKeys = None, as_json: Json = False
) -> None:
    """Renew the signatures that devices insist on. `veilcast control serve` does so by itself."""
    from cloud_control.tuf.files import persistently

    with told():
        expires = persistently(Places(data).repository(root_keys).refresh)
    if as_json:
        typer.echo(json.dumps({role: when.isoformat() for role, when in expires.items()}))
        return
    for role, when in expires.items():
        typer.echo(f"{role:<10} expires {when:%Y-%m-%d %H:%M} UTC")
    if expires["root"] - datetime.now(UTC) < ROOT_WARNING:
        typer.echo("The root expires soon: refresh with its keys at hand (--root-keys).", err=True)


@models.command("rotate-key")
def rotate_key(
    role: Annotated[str, typer.Argument(metavar="root | targets | snapshot | timestamp")],
    data: Data = Path("veilcast-data"),
    root_keys: RootKeys = None,
    as_json: Json = False,
) -> None:
    """Replace the keys of a role; needs the root keys. Devices follow by themselves."""
    from cloud_control.tuf.files import persistently

    with told():
        repository = Places(data).repository(root_keys)
        persistently(lambda: repository.rotate(_role(role)))
    _done({"rotated": role}, f"The role {role} has new keys.", as_json=as_json)


def _channel(given: str) -> str:
    from cloud_control.tuf.repository import CHANNELS

    if given not in CHANNELS:
        raise typer.BadParameter(f"choose one of {', '.join(CHANNELS)}")
    return given


def _role(given: str) -> str:
    from cloud_control.tuf.signing import ONLINE, ROOT

    if given not in {ROOT, *ONLINE}:
        raise typer.BadParameter(f"choose one of {', '.join((ROOT, *ONLINE))}")
    return given


def _done(record: dict[str, str], words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(record) if as_json else words)


def _show(found: list[PublishedModel], *, as_json: bool) -> None:
    if as_json:
        for one in found:
            record = one.wanted.model_dump()
            record |= {"channel": one.channel, "bytes": one.size, "files": list(one.files)}
            typer.echo(json.dumps(record))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "version", "channel", "size", "files")
    for one in found:
        table.add_row(
            one.wanted.name, one.wanted.version, one.channel, f"{one.size / 2**20:.1f} MiB",
            str(len(one.files)),
        )  # fmt: skip
    Console().print(table if found else "Nothing is published.")
