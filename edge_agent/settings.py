"""Every setting, once: flag over environment (`VEILCAST_`, nested `__`) over file over default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from edge_agent.errors import SettingsError

Fraction01 = Annotated[float, Field(ge=0.0, le=1.0)]
Point = tuple[float, float]
Polygon = Annotated[tuple[Point, ...], Field(min_length=3)]


_OF_OPERATORS = ("CONTROL", "CONTROL_CA", "TOKEN", "TOKEN_FILE")  # read by `veilcast fleet`


class Section(BaseModel):
    """A table of the settings file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassSettings(Section):
    """One class: whether it is hidden, and from which score on (None: the model's own)."""

    hide: bool = True
    thresh: Fraction01 | None = None


class Classes(Section):
    """The three classes, by their labels."""

    license_plate: ClassSettings = ClassSettings()
    id_card: ClassSettings = ClassSettings()
    shipping_label: ClassSettings = ClassSettings()


class Protect(Section):
    """How objects are found and hidden."""

    model: str = Field("veil-nano", description="name of a shipped model, or a path to its card")
    classes: Classes = Classes()
    replacewith: Literal["mosaic", "solid", "average"] = Field(
        "mosaic",
        description="average looks most natural but is weaker: its colours come from what it hides",
    )
    mask_scale: float = Field(1.3, ge=1.0, le=4.0, description="size of the cover to the object")
    look_ahead: float = Field(
        0.6, ge=0.0, le=3.0, description="seconds that frames wait (live: 0.3 at least)"
    )
    hold: float = Field(0.8, ge=0.0, le=3.0, description="seconds to stay covered after a loss")
    looks_per_second: float = Field(8.0, ge=4.0, le=60.0)
    second_looks: float = Field(
        8.0,
        ge=0.0,
        le=60.0,
        description="looks a second at native-resolution tiles, for small objects; "
        "live video takes fewer when the CPU is short",
    )
    zones: tuple[Polygon, ...] = Field((), description="polygons always hidden, corners in 0..1")
    ignore_zones: tuple[Polygon, ...] = Field((), description="polygons where nothing is hidden")


class Encode(Section):
    """How the protected video is encoded (H.264)."""

    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"] = (
        "superfast"
    )
    bitrate: int | None = Field(None, ge=50_000, description="bits a second")
    crf: int | None = Field(None, ge=0, le=51, description="constant quality, lower is better")


class Live(Section):
    """What belongs to live video alone."""

    slate_seconds: float = Field(30.0, ge=0.0, description="how long to wait for a lost source")
    port: int = Field(8099, ge=0, le=65535, description="loopback port of panic, state, metrics")


class Camera(Section):
    """How a browser's camera may come in over WebRTC (WHIP)."""

    origins: tuple[str, ...] = Field(
        (), description="of the pages that may send one, such as https://control.example:8443"
    )
    certificate: Path | None = Field(None, description="PEM file to serve HTTPS with")
    key: Path | None = Field(None, description="PEM file of the certificate's key")


class Settings(BaseSettings):
    """All settings of the agent, validated; an unknown key anywhere is an error."""

    model_config = SettingsConfigDict(
        env_prefix="VEILCAST_", env_nested_delimiter="__", extra="forbid", frozen=True
    )
    toml_file: ClassVar[Path | None] = None

    protect: Protect = Protect()
    encode: Encode = Encode()
    live: Live = Live()
    camera: Camera = Camera()
    log: Literal["human", "json"] = "human"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = TomlConfigSettingsSource(settings_cls, toml_file=cls.toml_file)
        return init_settings, env_settings, file


def load_settings(file: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Read all sources. `flags` is nested like the file; None means that a flag was not given.

    Raises SettingsError, in the user's words, when anything is unknown, wrong or unreadable.
    """
    if file is not None and not file.is_file():
        raise SettingsError(f"settings file not found: {file}")
    reader = type("_Settings", (Settings,), {"toml_file": file, "__module__": __name__})
    try:
        _refuse_unknown_environment()
        loaded: Settings = reader(**_given(flags))
    except ValidationError as problem:
        raise SettingsError(_in_words(problem)) from problem
    except ValueError as problem:
        raise SettingsError(f"{file or 'environment'}: {problem}") from problem
    return loaded


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the flags that were not given, and the tables that this leaves empty."""
    kept: dict[str, Any] = {}
    for key, value in flags.items():
        given = _given(value) if isinstance(value, Mapping) else value
        if given is not None and given != {}:
            kept[key] = given
    return kept


def _refuse_unknown_environment() -> None:
    known = {"CONFIG", "HOME", "CLAIM", *_OF_OPERATORS} | {
        name.upper() for name in Settings.model_fields
    }
    for name in os.environ:
        if name.startswith("VEILCAST_"):
            section = name.removeprefix("VEILCAST_").split("__")[0]
            if section not in known:
                raise SettingsError(f"unknown environment variable {name}")


def _in_words(problem: ValidationError) -> str:
    lines = []
    for error in problem.errors():
        where = ".".join(str(part) for part in error["loc"])
        said = "unknown setting" if error["type"] == "extra_forbidden" else error["msg"]
        lines.append(f"{where}: {said}")
    return "; ".join(lines)
