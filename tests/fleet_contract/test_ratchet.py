"""The ratchet: nothing looser than before is ever in force without consent, in any combination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.boxes import LABELS
from fleet_contract.errors import ContractError, Reason
from fleet_contract.protection import MAX_ZONES, Classes, ClassRule, Label, Polygon, Protection
from fleet_contract.ratchet import Change, loosen, split

MODEL: dict[Label, float] = {"license_plate": 0.4, "id_card": 0.25, "shipping_label": 0.3}
FEW = settings(max_examples=60, deadline=None)

POLYGONS: list[Polygon] = [((0.0, 0.0), (0.1 * i, 0.0), (0.0, 0.5)) for i in range(1, 5)]
zones = st.lists(st.sampled_from(POLYGONS), max_size=3, unique=True).map(tuple)
rules = st.builds(
    ClassRule, hide=st.booleans(), thresh=st.none() | st.sampled_from([0.0, 0.25, 0.3, 0.4, 1.0])
)
protections = st.builds(
    Protection,
    mosaic=st.booleans(),
    classes=st.builds(Classes, license_plate=rules, id_card=rules, shipping_label=rules),
    replacewith=st.sampled_from(["mosaic", "solid", "average"]),
    mask_scale=st.sampled_from([1.0, 1.3, 4.0]),
    look_ahead=st.sampled_from([0.0, 0.6, 3.0]),
    hold=st.sampled_from([0.0, 0.8, 3.0]),
    looks_per_second=st.sampled_from([4.0, 8.0]),
    second_looks=st.sampled_from([0.0, 2.0]),
    zones=zones,
    ignore_zones=zones,
)
models = st.sampled_from([MODEL, {}, {"id_card": 0.25}])


def weaknesses(protection: Protection, own: dict[Label, float]) -> dict[str, Any]:
    """What a protection lets through, field by field: a larger number or set is weaker.

    Written from the product's side, not from the ratchet's rules, to hold them against it.
    """
    classes = dict(protection.classes)
    return {
        "bare": {"all"} if not protection.mosaic else set(),
        "classes shown": {label for label, rule in classes.items() if not rule.hide},
        **{
            f"lowest score missed {label}": own.get(label, 2.0)
            if rule.thresh is None
            else rule.thresh  # type: ignore[call-overload]
            for label, rule in classes.items()
        },
        "hidden pixels used": {"yes"} if protection.replacewith == "average" else set(),
        "cover": -protection.mask_scale,
        "look-ahead": -protection.look_ahead,
        "hold": -protection.hold,
        "looks": -protection.looks_per_second,
        "second looks": -protection.second_looks,
        "places shown": set(POLYGONS) - set(protection.zones),
        "places not looked at": set(protection.ignore_zones),
    }


def no_weaker(now: Protection, before: Protection, own: dict[Label, float]) -> bool:
    mine, theirs = weaknesses(now, own), weaknesses(before, own)
    return all(mine[name] <= theirs[name] for name in theirs)


@given(protections, protections, models)
@FEW
def test_what_is_in_force_without_consent_is_never_weaker_than_before(
    before: Protection, after: Protection, own: dict[Label, float]
) -> None:
    assert no_weaker(split(before, after, own).now, before, own)


@given(protections, protections)
@FEW
def test_with_a_known_model_it_is_never_weaker_than_asked_for_either(
    before: Protection, after: Protection
) -> None:
    assert no_weaker(split(before, after, MODEL).now, after, MODEL)


@given(protections, protections)
@FEW
def test_a_change_counts_as_loosening_exactly_if_something_gets_weaker(
    before: Protection, after: Protection
) -> None:
    found = split(before, after, MODEL)
    assert bool(found.loosened) == (not no_weaker(after, before, MODEL))


@given(protections, protections, models)
@FEW
def test_both_parts_together_are_the_whole_change(
    before: Protection, after: Protection, own: dict[Label, float]
) -> None:
    found = split(before, after, own)
    assert loosen(found.now, found.loosened) == after
    assert loosen(before, found.tightened) == found.now
    assert split(before, found.now, own).loosened == ()
    assert split(found.now, after, own).now == found.now


@given(protections, protections, models, st.data())
@FEW
def test_consent_to_one_thing_is_no_consent_to_another(
    before: Protection, after: Protection, own: dict[Label, float], data: st.DataObject
) -> None:
    found = split(before, after, own)
    given_for = [change for change in found.loosened if data.draw(st.booleans())]
    left = split(found.now, loosen(found.now, given_for), own)
    assert {change.path for change in left.loosened} == {change.path for change in given_for}


@given(protections, st.lists(protections, max_size=5), models)
@FEW
def test_no_series_of_changes_wears_the_protection_down(
    before: Protection, wanted: list[Protection], own: dict[Label, float]
) -> None:
    now = before
    for after in wanted:
        now = split(now, after, own).now
    assert no_weaker(now, before, own)


@given(protections, models)
@FEW
def test_the_same_again_is_no_change(protection: Protection, own: dict[Label, float]) -> None:
    found = split(protection, protection, own)
    assert (found.now, found.tightened, found.loosened) == (protection, (), ())


def changed(path: str, value: object) -> Protection:
    return loosen(Protection(), [Change(path, None, value)])  # type: ignore[arg-type]


ZONE = (POLYGONS[0],)
LOOSENING = [
    ("mosaic", True, False),
    ("classes.license_plate.hide", True, False),
    ("classes.id_card.thresh", 0.3, 0.31),
    ("classes.id_card.thresh", None, 0.26),
    ("replacewith", "mosaic", "average"),
    ("replacewith", "solid", "average"),
    ("mask_scale", 1.3, 1.29),
    ("look_ahead", 0.6, 0.5),
    ("hold", 0.8, 0.0),
    ("looks_per_second", 8.0, 7.0),
    ("second_looks", 2.0, 0.0),
    ("zones", ZONE, ()),
    ("ignore_zones", (), ZONE),
]


@pytest.mark.parametrize(("path", "strong", "weak"), LOOSENING)
def test_each_way_to_loosen_waits_and_its_reverse_applies(
    path: str, strong: object, weak: object
) -> None:
    found = split(changed(path, strong), changed(path, weak), MODEL)
    assert found.loosened == (Change(path, strong, weak),)  # type: ignore[arg-type]
    assert found.now == changed(path, strong)
    back = split(changed(path, weak), changed(path, strong), MODEL)
    assert back.loosened == ()
    assert back.now == changed(path, strong)


def test_every_field_of_a_protection_is_among_the_ways_to_loosen() -> None:
    """A setting added without a rule would be loosened unnoticed."""
    plain = dict(Protection())
    del plain["classes"]
    named = {path.removeprefix("classes.").partition(".")[2] or path for path, _, _ in LOOSENING}
    assert named == {*plain, *ClassRule.model_fields}
    assert set(Classes.model_fields) == set(LABELS)


def test_solid_and_mosaic_may_replace_each_other() -> None:
    for before, after in (("mosaic", "solid"), ("solid", "mosaic")):
        found = split(changed("replacewith", before), changed("replacewith", after), MODEL)
        assert found.now.replacewith == after
        assert found.loosened == ()


def test_a_threshold_against_an_unknown_models_own_waits_both_ways() -> None:
    own, low = changed("classes.id_card.thresh", None), changed("classes.id_card.thresh", 0.01)
    for before, after in ((own, low), (low, own)):
        assert split(before, after, {}).now == before


def test_a_zone_moved_covers_both_places_until_consent() -> None:
    found = split(changed("zones", (POLYGONS[0],)), changed("zones", (POLYGONS[1],)), MODEL)
    assert set(found.now.zones) == {POLYGONS[0], POLYGONS[1]}
    assert found.loosened == (Change("zones", found.now.zones, (POLYGONS[1],)),)


def test_zones_that_wait_for_consent_cannot_pile_up() -> None:
    def many(first: int) -> Protection:
        return changed(
            "zones",
            tuple(((0.0, 0.0), (i / 100, 0.0), (0.0, 1.0)) for i in range(first, first + 9)),
        )

    with pytest.raises(ContractError) as caught:
        split(many(0), many(50), MODEL)
    assert caught.value.reason is Reason.TOO_MANY_ZONES
    assert MAX_ZONES < 18


@pytest.mark.parametrize("attack", ["with more cover", "with a longer look-ahead", "with solid"])
def test_mosaic_off_does_not_hide_behind_a_tightening(attack: str) -> None:
    cover: dict[str, Callable[[], Protection]] = {
        "with more cover": lambda: Protection(mosaic=False, mask_scale=4.0),
        "with a longer look-ahead": lambda: Protection(mosaic=False, look_ahead=3.0),
        "with solid": lambda: Protection(mosaic=False, replacewith="solid"),
    }
    found = split(Protection(), cover[attack](), MODEL)
    assert found.now.mosaic
    assert [change.path for change in found.loosened] == ["mosaic"]
    assert len(found.tightened) == 1
