"""The flags that several commands share, and how they become settings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_agent.boxes import LABELS
from edge_agent.errors import SettingsError
from edge_agent.settings import Settings, load_settings

PROTECTION = "Protection"
ENCODING = "Encoding"

Config = Annotated[
    Path | None,
    typer.Option(envvar="VEILCAST_CONFIG", help="TOML settings file; flags win over it."),
]
Model = Annotated[
    str | None,
    typer.Option(help="Name of a shipped model or path to a card.", rich_help_panel=PROTECTION),
]
Thresh = Annotated[
    list[str] | None,
    typer.Option(
        "--thresh", "-t", metavar="X | CLASS=X", rich_help_panel=PROTECTION,
        help="Score from which on an object is hidden, for all classes or one. "
        "Lower hides more. Default: what the model's card says.",
    ),
]  # fmt: skip
Show = Annotated[
    list[str] | None,
    typer.Option(metavar="CLASS", help="Leave this class visible.", rich_help_panel=PROTECTION),
]
ReplaceWith = Annotated[
    str | None,
    typer.Option(
        metavar="mosaic | solid | average", rich_help_panel=PROTECTION,
        help="Look of the cover. average is weaker: its colours come from what it hides.",
    ),
]  # fmt: skip
MaskScale = Annotated[
    float | None,
    typer.Option(help="Size of the cover to the object's.", rich_help_panel=PROTECTION),
]
LookAhead = Annotated[
    float | None,
    typer.Option(
        help="Seconds (0 to 3) that frames wait, so that a detection protects the ones before it.",
        rich_help_panel=PROTECTION,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(help="x264 preset, ultrafast to slow.", rich_help_panel=ENCODING),
]
Bitrate = Annotated[
    str | None,
    typer.Option(metavar="BITS", help="Such as 2500k or 4M.", rich_help_panel=ENCODING),
]
Crf = Annotated[
    int | None,
    typer.Option(help="Constant quality, 0 to 51, lower is better.", rich_help_panel=ENCODING),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", rich_help_panel=PROTECTION,
        help="Any other setting by its name in the file, such as protect.hold=0.8.",
    ),
]  # fmt: skip

MULTIPLIERS = {"k": 1_000, "m": 1_000_000}


def settings_from(
    *,
    config: Path | None,
    model: str | None = None,
    thresh: list[str] | None = None,
    show: list[str] | None = None,
    replacewith: str | None = None,
    mask_scale: float | None = None,
    look_ahead: float | None = None,
    preset: str | None = None,
    bitrate: str | None = None,
    crf: int | None = None,
    port: int | None = None,
    others: list[str] | None = None,
) -> Settings:
    """Settings with these flags on top. Raises SettingsError in the user's words."""
    flags: dict[str, Any] = {
        "protect": {
            "model": model,
            "classes": _classes(thresh or [], show or []),
            "replacewith": replacewith,
            "mask_scale": mask_scale,
            "look_ahead": look_ahead,
        },
        "encode": {
            "preset": preset,
            "bitrate": None if bitrate is None else bits(bitrate, "--bitrate"),
            "crf": crf,
        },
        "live": {"port": port},
    }
    for assignment in others or []:
        _set(flags, assignment)
    return load_settings(config, flags)


def _classes(thresh: list[str], show: list[str]) -> dict[str, dict[str, Any]]:
    classes: dict[str, dict[str, Any]] = {label: {} for label in LABELS}
    for given in thresh:
        label, separator, value = given.rpartition("=")
        try:
            score = float(value)
        except ValueError:
            raise SettingsError(f"--thresh {given}: expected X or CLASS=X, X from 0 to 1") from None
        for name in [label] if separator else LABELS:
            _class(classes, name)["thresh"] = score
    for label in show:
        _class(classes, label)["hide"] = False
    return classes


def _class(classes: dict[str, dict[str, Any]], label: str) -> dict[str, Any]:
    if label not in classes:
        raise SettingsError(f"unknown class {label!r}: use one of {', '.join(LABELS)}")
    return classes[label]


def bits(text: str, flag: str) -> int:
    """2500k as 2500000. Raises SettingsError, which names the flag."""
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].isalpha() else (text, "")
    try:
        return int(float(number) * (MULTIPLIERS[unit] if unit else 1))
    except (ValueError, KeyError):
        raise SettingsError(f"{flag} {text}: expected bits a second, such as 2500k") from None


def _set(flags: dict[str, Any], assignment: str) -> None:
    """Put `a.b.c=value` into the nested flags; the value is TOML, or plain text."""
    path, separator, text = assignment.partition("=")
    if not separator:
        raise SettingsError(f"--set {assignment}: expected KEY=VALUE")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *tables, key = path.strip().split(".")
    table = flags
    for name in tables:
        table = table.setdefault(name, {})
    table[key] = value
