"""The owner's settings for the fleet: least protection, encoding, and what `ref` names mean."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from edge_agent.errors import SettingsError
from edge_agent.settings import Camera, Encode, Protect, Section
from fleet_contract.fields import Id


class Address(Section):
    """A source. It may hold credentials, so it is never shown. `loop`: a file begins anew."""

    address: str = Field(repr=False)
    loop: bool = False


def _spelt_short(value: Any) -> Any:
    return {"address": value} if isinstance(value, str) else value


Source = Annotated[Address, BeforeValidator(_spelt_short)]


class Upload(Section):
    """How spooled video goes to the control plane."""

    limit: int = Field(
        2_000_000, ge=50_000, description="bits a second: live streams need the uplink, too"
    )


class DeviceSettings(Section):
    """The file device.toml. `protect` is in force for each stream that the device does not know
    yet; what the cloud asks for can only tighten it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    protect: Protect = Protect()
    encode: Encode = Encode()
    camera: Camera = Camera()
    upload: Upload = Upload()
    sources: dict[Id, Source] = Field(default={}, repr=False)
    sinks: dict[Id, str] = Field(default={}, repr=False)


def welcoming(device: DeviceSettings, control: str) -> DeviceSettings:
    """The settings, in which the control plane's own pages may send a camera unless others are
    named. control: the base address by which the device reaches it."""
    if device.camera.origins:
        return device
    parts = urlsplit(control)
    camera = device.camera.model_copy(update={"origins": (f"{parts.scheme}://{parts.netloc}",)})
    return device.model_copy(update={"camera": camera})


def read_device_settings(file: Path) -> DeviceSettings:
    """Defaults where there is no file. Raises SettingsError that quotes no value."""
    try:
        return DeviceSettings.model_validate(tomllib.loads(file.read_text()))
    except FileNotFoundError:
        return DeviceSettings()
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said = "unknown setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise SettingsError(f"{file}: {where}: {said}") from None
    except (OSError, ValueError) as problem:
        raise SettingsError(f"{file}: {problem}") from None
