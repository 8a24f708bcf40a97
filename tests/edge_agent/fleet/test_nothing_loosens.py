"""Whatever the cloud sends, in whatever order: without consent on the device nothing is loosened.

Stated from the worker's side, field by field, without a look at the ratchet's own rules.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.fleet.clock import SteadyClock
from edge_agent.fleet.device_settings import DeviceSettings
from edge_agent.fleet.in_force import InForce, desired_address
from edge_agent.fleet.protection import Thresholds, from_settings, stricter_for_both
from edge_agent.fleet.reconcile import plan
from edge_agent.fleet.store import Store
from edge_agent.fleet.streams import Streams
from edge_agent.settings import Protect
from edge_agent.worker import job
from fleet_contract.protection import Protection
from tests.edge_agent.fleet.device import stream
from tests.edge_agent.fleet.fake_workers import FakeWorkers

OWN: Thresholds = {"license_plate": 0.4, "id_card": 0.25, "shipping_label": 0.3}
OTHER: Thresholds = {"license_plate": 0.2, "id_card": 0.5, "shipping_label": 0.3}
POLYGONS = [[[0.0, 0.0], [0.1 * i, 0.0], [0.0, 0.5]] for i in range(1, 5)]

rules = st.fixed_dictionaries(
    {},
    optional={"hide": st.booleans(), "thresh": st.sampled_from([0.0, 0.22, 0.25, 0.3, 0.45, 1.0])},
)
protections = st.fixed_dictionaries(
    {},
    optional={
        "mosaic": st.booleans(),
        "classes": st.fixed_dictionaries({}, optional=dict.fromkeys(OWN, rules)),
        "replacewith": st.sampled_from(["mosaic", "solid", "average"]),
        "mask_scale": st.sampled_from([1.0, 1.3, 4.0]),
        "look_ahead": st.sampled_from([0.0, 0.6, 3.0]),
        "hold": st.sampled_from([0.0, 0.8, 3.0]),
        "looks_per_second": st.sampled_from([4.0, 8.0, 9.0]),
        "second_looks": st.sampled_from([0.0, 8.0]),
        "zones": st.lists(st.sampled_from(POLYGONS), max_size=3),
        "ignore_zones": st.lists(st.sampled_from(POLYGONS), max_size=3),
    },
)
listed = st.lists(
    st.tuples(st.sampled_from(["cam-1", "cam-2"]), protections),
    max_size=2,
    unique_by=lambda each: each[0],
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("desire"), listed, protections),
        st.tuples(st.just("stop"), st.sampled_from(["cam-1", "cam-2"])),
        st.tuples(st.just("start"), st.sampled_from(["cam-1", "cam-2"])),
        st.tuples(st.just("veil"), st.sampled_from(["cam-1", "cam-2"])),
        st.tuples(st.just("restart")),
    ),
    max_size=12,
)
owners = st.sampled_from(
    [
        Protect(),
        Protect(look_ahead=1.0, replacewith="solid"),
        Protect.model_validate({"classes": {"id_card": {"thresh": 0.1}}, "zones": POLYGONS[:1]}),
        Protect.model_validate({"replacewith": "average", "ignore_zones": POLYGONS[:2]}),
    ]
)


def weaknesses(shown: job.Protection, own: Thresholds) -> dict[str, Any]:
    """What a worker's protection lets through: a larger number or set is weaker."""
    protect = shown.protect
    lowest = {f"{label}": value for label, value in own.items()}
    rules = dict(protect.classes)
    return {
        "bare": {"all"} if shown.bare_until_ms is not None else set(),
        "classes shown": {label for label, rule in rules.items() if not rule.hide},
        **{
            f"lowest score missed, {label}": lowest[label] if rule.thresh is None else rule.thresh
            for label, rule in rules.items()
        },
        "hidden pixels used": {"yes"} if protect.replacewith == "average" else set(),
        "cover": -protect.mask_scale,
        "look-ahead": -protect.look_ahead,
        "hold": -protect.hold,
        "looks": -protect.looks_per_second,
        "second looks": -protect.second_looks,
        "zones left out": {str(z) for z in POLYGONS} - {_name(z) for z in protect.zones},
        "places ignored": {_name(z) for z in protect.ignore_zones},
    }


def _name(polygon: Any) -> str:
    return str([list(point) for point in polygon])


class Rig:
    """An agent's state and streams, without link or clock."""

    def __init__(self, file: Path, device: DeviceSettings) -> None:
        self._file, self._device = file, device
        self.store: Store | None = None
        self.begin()

    def begin(self) -> None:
        if self.store:
            self.store.close()
        self.store = Store(self._file)
        self.workers = FakeWorkers(lambda *_: None)
        self.streams = Streams(self.workers)
        address = desired_address("acme", "van-7")
        owner = from_settings(self._device.protect)
        self.in_force = InForce(address, self.store, owner, SteadyClock())
        self.in_force.thresholds = OWN
        self.in_force.refresh()
        self.follow()

    def follow(self) -> None:
        self.streams.follow(plan(self.in_force, self._device, Path("/model.json")))

    def do(self, step: tuple[Any, ...], version: int) -> None:
        if step[0] == "restart":
            self.begin()
        elif step[0] == "desire":
            streams = [stream(name, protection=wish) for name, wish in step[1]]
            document = {
                "v": 1, "version": version, "issued_at": 1, "streams": streams,
                "protection": step[2],
            }  # fmt: skip
            self.in_force.take(json.dumps(document).encode())
        elif step[1] in self.in_force.standings:
            if step[0] == "veil":
                self.in_force.set_veiled(step[1], True)
            else:
                self.in_force.set_running(step[1], step[0] == "start")
        self.follow()


@given(owners, steps)
@settings(max_examples=60, deadline=None)
def test_no_sequence_of_documents_and_commands_loosens_anything(
    tmp_path_factory: pytest.TempPathFactory, owner: Protect, taken: list[tuple[Any, ...]]
) -> None:
    file = tmp_path_factory.mktemp("state") / "state.sqlite"
    rig = Rig(file, DeviceSettings(protect=owner))
    first = weaknesses(job.Protection(protect=owner), OWN)
    before = {"cam-1": first, "cam-2": first}
    veiled: set[str] = set()
    for version, step in zip(itertools.count(1), taken, strict=False):
        rig.do(step, version)
        for name, shown in rig.workers.protections.items():
            now = weaknesses(shown, OWN)
            for what, weakness in now.items():
                assert weakness <= before[name][what], f"{name}: {what} after {step[0]}"
            before[name] = now
            assert name not in veiled or rig.workers.veiled[name]
        veiled |= {name for name, on in rig.workers.veiled.items() if on}
    assert rig.store
    rig.store.close()


@given(protections, protections)
@settings(max_examples=100, deadline=None)
def test_while_one_model_takes_the_others_place_the_cover_is_enough_for_both(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    first = Protection.model_validate_json(json.dumps(one))
    second = Protection.model_validate_json(json.dumps(two))
    both = _shown(stricter_for_both(first, OWN, second, OTHER))
    for alone, model in ((first, OWN), (second, OTHER)):
        for running in (OWN, OTHER):
            weak = weaknesses(both, running)
            for what, weakness in weaknesses(_shown(alone), model).items():
                assert weak[what] <= weakness, what


def _shown(protection: Protection) -> job.Protection:
    protect = Protect.model_validate(protection.model_dump(exclude={"mosaic"}))
    return job.Protection(protect=protect)


def test_the_owners_own_threshold_counts_again_when_the_model_changes(tmp_path: Path) -> None:
    """Lower a threshold for one model, then bring a model for which it is a high one."""
    rig = Rig(tmp_path / "state.sqlite", DeviceSettings())
    rig.do(("desire", [("cam-1", {"classes": {"license_plate": {"thresh": 0.39}}})], {}), 1)
    assert rig.workers.protections["cam-1"].protect.classes.license_plate.thresh == 0.39
    rig.in_force.thresholds = {"license_plate": 0.2, "id_card": 0.2, "shipping_label": 0.2}
    rig.in_force.refresh()
    rig.follow()
    assert rig.workers.protections["cam-1"].protect.classes.license_plate.thresh is None
    assert rig.store
    rig.store.close()


def test_ever_new_streams_do_not_fill_the_disk(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state.sqlite", DeviceSettings())
    refused = None
    for version in range(1, 40):
        names = [(f"s{version}-{i}", {}) for i in range(32)]
        rig.do(("desire", names, {}), version)
        refused = rig.in_force.refused
        if refused:
            break
    assert refused is not None
    assert refused.reason == "too_many_streams"
    assert rig.in_force.version == refused.version - 1
    assert rig.store
    rig.store.close()


def test_zones_that_may_not_go_leave_no_room_for_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "state.sqlite", DeviceSettings())
    for version, offset in ((1, 0.0), (2, 0.5)):
        zones = [[[offset, 0.0], [offset + 0.01 * i, 0.0], [offset, 0.5]] for i in range(1, 10)]
        rig.do(("desire", [("cam-1", {"zones": zones})], {}), version)
    assert rig.in_force.version == 1
    assert rig.in_force.refused
    assert rig.in_force.refused.reason == "too_many_zones"
    assert rig.store
    rig.store.close()
