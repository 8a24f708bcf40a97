"""Which model a device shall run, and where its files stand in the signed repository."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fleet_contract.fields import Id, Part, Version

TargetPath = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$", max_length=200)
]


class WantedModel(Part):
    """Hash and size are not here: they come from the repository's signed metadata alone."""

    name: Id = Field(description="the model's name")
    version: Version = Field(description="its version, three numbers")
    target: TargetPath = Field(description="target path of its card in the TUF repository")


def model_at(name: str, version: str) -> WantedModel:
    """The model of this name and version: every repository keeps its card at the same place.

    Raises pydantic's ValidationError for what is no name or version.
    """
    return WantedModel(name=name, version=version, target=f"{name}/{version}/{name}.json")


def is_newer(version: str, than: str) -> bool:
    """Whether a version of three numbers comes after another."""
    return [int(part) for part in version.split(".")] > [int(part) for part in than.split(".")]
