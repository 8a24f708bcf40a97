"""Which changes of a stream's protection tighten it and which loosen it: the one place that says.

Tightening applies at once. Loosening waits for consent on the device. A change that does both is
taken apart, field by field: what no consent covers stays at the stricter of the two values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet_contract.errors import ContractError, Reason
from fleet_contract.protection import MAX_ZONES, Label, Polygon, Protection

Value = bool | float | str | tuple[Polygon, ...] | None
Stricter = Callable[[Any, Any], Any]  # (before, after) -> what may be in force without consent

# Solid and mosaic take nothing from what they hide; average does.
_STYLE_STRENGTH = {"average": 0, "mosaic": 1, "solid": 1}


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a protection, by its dotted path, such as `classes.id_card.hide`."""

    path: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Split:
    """`now` may be in force at once. `tightened` led to it; `loosened` leads from it to what was
    asked for, and needs consent."""

    now: Protection
    tightened: tuple[Change, ...]
    loosened: tuple[Change, ...]


def split(before: Protection, after: Protection, model_thresholds: Mapping[Label, float]) -> Split:
    """Take a change apart. `before` is what is in force without any consent.

    `model_thresholds` are those of the running model, which count where a class has no threshold
    of its own. Where they are unknown, any change to or from the model's own counts as loosening.
    Raises ContractError when zones that may not go yet leave no room for the new ones.
    """
    old, new = _flat(before), _flat(after)
    now = {path: _stricter(path, model_thresholds)(old[path], new[path]) for path in old}
    if len(now["zones"]) > MAX_ZONES:
        raise ContractError(Reason.TOO_MANY_ZONES, f"{MAX_ZONES} zones are allowed")
    return Split(
        now=_nested(now),
        tightened=tuple(
            Change(path, old[path], now[path]) for path in old if now[path] != old[path]
        ),
        loosened=tuple(
            Change(path, now[path], new[path]) for path in old if new[path] != now[path]
        ),
    )


def loosen(now: Protection, consented: Iterable[Change]) -> Protection:
    """`now` with those changes of a `Split.loosened` for which consent was given."""
    return _nested({**_flat(now), **{change.path: change.after for change in consented}})


def _stricter(path: str, model_thresholds: Mapping[Label, float]) -> Stricter:
    """The rule of a field. A field without a rule is a KeyError: nothing is loosened unnoticed."""
    if path.endswith(".thresh"):
        own = {f"classes.{label}.thresh": value for label, value in model_thresholds.items()}
        return lambda before, after: _lower(before, after, own.get(path))
    return _on if path.endswith(".hide") else _RULES[path]


def _lower(before: float | None, after: float | None, own: float | None) -> float | None:
    """The lower threshold; None stands for the model's own."""
    if before == after:
        return after
    first = own if before is None else before
    second = own if after is None else after
    if first is None or second is None:
        return before
    return after if second <= first else before


def _on(before: bool, after: bool) -> bool:
    return before or after


def _stronger_style(before: str, after: str) -> str:
    return after if _STYLE_STRENGTH[after] >= _STYLE_STRENGTH[before] else before


def _all_of(before: tuple[Polygon, ...], after: tuple[Polygon, ...]) -> tuple[Polygon, ...]:
    missing = tuple(zone for zone in before if zone not in after)
    return after + missing


def _common(before: tuple[Polygon, ...], after: tuple[Polygon, ...]) -> tuple[Polygon, ...]:
    return tuple(zone for zone in after if zone in before)


_RULES: Mapping[str, Stricter] = {
    "mosaic": _on,
    "replacewith": _stronger_style,
    "mask_scale": max,
    "look_ahead": max,
    "hold": max,
    "looks_per_second": max,
    "second_looks": max,
    "zones": _all_of,
    "ignore_zones": _common,
}


def _flat(protection: Protection) -> dict[str, Any]:
    """Every field by its path: also those added later, which then lack a rule."""
    values = dict(protection)
    classes = values.pop("classes")
    for label, rule in classes:
        values |= {f"classes.{label}.{name}": value for name, value in rule}
    return values


def _nested(values: Mapping[str, Any]) -> Protection:
    found: dict[str, Any] = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return Protection.model_validate(found)
