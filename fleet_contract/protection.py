"""How a stream's objects are found and hidden: the settings that the ratchet watches over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fleet_contract.fields import Fraction, Part

MAX_ZONES = 16

Label = Literal["license_plate", "id_card", "shipping_label"]
Coordinate = Annotated[float, Field(ge=-1.0, le=2.0)]
Point = tuple[Coordinate, Coordinate]
Polygon = Annotated[tuple[Point, ...], Field(min_length=3, max_length=32)]
Zones = Annotated[tuple[Polygon, ...], Field(max_length=MAX_ZONES)]


class ClassRule(Part):
    """One class of objects."""

    hide: bool = Field(True, description="whether objects of the class are hidden")
    thresh: Fraction | None = Field(
        None, description="lowest score that counts; absent: the model's own"
    )


class Classes(Part):
    """The three classes."""

    license_plate: ClassRule = Field(ClassRule(), description="license plates of vehicles")
    id_card: ClassRule = Field(ClassRule(), description="identity cards, licences, passports")
    shipping_label: ClassRule = Field(ClassRule(), description="labels on parcels")


class Protection(Part):
    """Names and ranges are those of the agent's own settings file, table `protect`."""

    mosaic: bool = Field(True, description="whether objects are hidden at all")
    classes: Classes = Field(Classes(), description="what is hidden")
    replacewith: Literal["mosaic", "solid", "average"] = Field(
        "mosaic", description="how hidden pixels look; `average` is weaker than the others"
    )
    mask_scale: float = Field(
        1.3, ge=1.0, le=4.0, description="size of the cover to the size of the object"
    )
    look_ahead: float = Field(
        0.6,
        ge=0.0,
        le=3.0,
        description="seconds that frames wait for later looks (live: 0.3 at least)",
    )
    hold: float = Field(0.8, ge=0.0, le=3.0, description="seconds to stay covered after a loss")
    looks_per_second: float = Field(8.0, ge=4.0, le=60.0, description="looks at whole frames")
    second_looks: float = Field(
        8.0, ge=0.0, le=60.0, description="looks a second at tiles in native resolution"
    )
    zones: Zones = Field(
        (), description="polygons always hidden; corners [x, y] as fractions of width and height"
    )
    ignore_zones: Zones = Field((), description="polygons in which nothing is hidden, likewise")
