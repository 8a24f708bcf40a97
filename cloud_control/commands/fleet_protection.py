"""`veilcast fleet set`: how a fleet, an agent or a stream hides what must not be seen."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cloud_control.commands.remote import Remote, pairs, plain, remote, row, table
from cloud_control.errors import ApiError

CLASSES = ("license_plate", "id_card", "shipping_label")


@remote
def set_protection(
    to: Remote,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="This agent only.")] = None,
    stream: Annotated[str | None, typer.Option(metavar="STREAM", help="This stream only.")] = None,
    thresh: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=SCORE",
            help="Lowest score that counts, 0 to 1; `all=0.3` for all classes, `all=own` for the "
            "model's own. Repeat for several.",
        ),
    ] = None,
    hide: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="Hide objects of this class.")
    ] = None,
    no_hide: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="Do not; needs consent.")
    ] = None,
    mosaic: Annotated[
        bool | None, typer.Option(help="Hide objects at all; --no-mosaic needs consent.")
    ] = None,
    replacewith: Annotated[str | None, typer.Option(metavar="mosaic | solid | average")] = None,
    mask_scale: Annotated[float | None, typer.Option(help="Size of the cover, 1 to 4.")] = None,
    look_ahead: Annotated[float | None, typer.Option(help="Seconds, 0 to 3.")] = None,
    hold: Annotated[float | None, typer.Option(help="Seconds covered after a loss.")] = None,
    looks_per_second: Annotated[float | None, typer.Option(help="4 to 60.")] = None,
    second_looks: Annotated[float | None, typer.Option(help="A second, 0 to 60.")] = None,
    inherit: Annotated[
        bool, typer.Option("--inherit", help="Forget what the agent or stream has of its own.")
    ] = False,
) -> None:
    """Change how objects are hidden: of the whole fleet, an agent or a stream.

    What is not named stays. Devices take what tightens at once; what loosens waits for consent that
    is given on the device.
    """
    if agent and stream:
        raise ApiError("name either --agent or --stream")
    if inherit and not (agent or stream):
        raise ApiError("--inherit needs --agent or --stream")
    plain_changes = {
        "mosaic": mosaic, "replacewith": replacewith, "mask_scale": mask_scale,
        "look_ahead": look_ahead, "hold": hold, "looks_per_second": looks_per_second,
        "second_looks": second_looks,
    }  # fmt: skip
    place = _Place(to, agent, stream)
    if inherit:
        found = place.put(None)
    else:
        wanted = place.present()
        wanted |= {name: value for name, value in plain_changes.items() if value is not None}
        classes = _classes(wanted.get("classes", {}), thresh, hide or [], no_hide or [])
        found = place.put({**wanted, "classes": classes})
    to.show(found, lambda: _drawn(place.present(), str(place)))


class _Place:
    """Where a protection is kept."""

    def __init__(self, to: Remote, agent: str | None, stream: str | None) -> None:
        self._api, self._agent, self._stream = to.api, agent, stream

    def __str__(self) -> str:
        return self._stream or self._agent or "the whole fleet"

    def present(self) -> dict[str, Any]:
        """What is wanted there now: its own, or else what it takes over."""
        agent = self._agent
        if self._stream:
            stream = self._api.get(f"/v1/streams/{self._stream}")
            if stream["protection"] is not None:
                return dict(stream["protection"])
            agent = stream["agent"]
        if agent:
            return dict(self._api.get(f"/v1/agents/{agent}")["protection"])
        return dict(self._api.get("/v1/protection"))

    def put(self, protection: dict[str, Any] | None) -> Any:
        if self._stream:
            body = {"protection": protection}
            return self._api.ask("PATCH", f"/v1/streams/{self._stream}", body)
        path = f"/v1/agents/{self._agent}/protection" if self._agent else "/v1/protection"
        return self._api.ask("DELETE" if protection is None else "PUT", path, protection)


def _classes(
    present: dict[str, Any], thresh: list[str] | None, hide: list[str], no_hide: list[str]
) -> dict[str, Any]:
    classes = {label: {"hide": True, **present.get(label, {})} for label in CLASSES}
    for name, score in pairs(thresh, "--thresh").items():
        for label in _labels(name):
            classes[label]["thresh"] = None if score == "own" else _number(score)
    for name, hidden in [*((one, True) for one in hide), *((one, False) for one in no_hide)]:
        for label in _labels(name):
            classes[label]["hide"] = hidden
    return classes


def _labels(name: str) -> tuple[str, ...]:
    if name == "all":
        return CLASSES
    if name not in CLASSES:
        raise ApiError(f"there is no class {plain(name)}; known are {', '.join(CLASSES)} and all")
    return (name,)


def _number(score: str) -> float:
    try:
        return float(score)
    except ValueError:
        raise ApiError("--thresh looks like id_card=0.3") from None


def _drawn(protection: dict[str, Any], place: str) -> object:
    drawn = table("Setting", place)
    for name, value in protection.items():
        if name != "classes":
            row(drawn, name, value)
    for label, rule in protection.get("classes", {}).items():
        score = rule.get("thresh")
        shown = f"hidden from {'the models own score' if score is None else score} on"
        row(drawn, label, shown if rule.get("hide", True) else "not hidden")
    return drawn
