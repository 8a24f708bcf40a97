"""Trying and using a model on the running streams, from a thread of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.detect.card import find_model
from edge_agent.fleet.home import Home
from tests.edge_agent.fleet.authority import Authority
from tests.edge_agent.fleet.device import Device, enrolled_home, stream
from tests.edge_agent.fleet.patience import PATIENCE_S, wait_until


@pytest.fixture
def home(tmp_path: Path, authority: Authority) -> Home:
    """Nobody listens at its broker's port."""
    return enrolled_home(tmp_path / "home", authority, 1)


@pytest.fixture
def device(home: Home) -> Iterator[Device]:
    made = Device(home)
    yield made
    made.close()


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A newer model whose own thresholds differ; only its card is there."""
    found = json.loads(find_model().read_text())
    found["thresholds"] = dict.fromkeys(found["thresholds"], 0.11)
    file = tmp_path / f"{found['name']}.json"
    file.write_text(json.dumps(found))
    return file


def desire(device: Device, version: int, *streams: dict[str, Any]) -> None:
    """As if it had come over the link."""
    document = {"v": 1, "version": version, "issued_at": 1, "streams": streams}

    def take() -> None:
        device.agent.in_force.take(json.dumps(document).encode())
        device.agent.follow()

    in_agent(device, take)


def in_agent(device: Device, work: Callable[[], object]) -> None:
    from edge_agent.fleet.events import Do

    done = threading.Event()
    device.agent.post(Do(lambda: (work(), done.set())[1]))  # type: ignore[func-returns-value]
    assert done.wait(PATIENCE_S)


def test_a_trial_runs_on_a_live_stream(device: Device, card: Path) -> None:
    assert device.agent.host.try_model(card, 1.0) is None  # no stream is live
    desire(device, 1, stream("cam-1"), stream("cam-2"))
    assert device.agent.host.live_streams() == 2
    trial = device.agent.host.try_model(card, 1.0)
    assert trial is not None
    assert (trial.card, trial.looks, trial.failed) == (str(card), 20, 0.0)
    assert [order for _, order in device.workers.told].count("try_model") == 1


def test_a_trial_that_the_worker_does_not_survive_has_failed(device: Device, card: Path) -> None:
    desire(device, 1, stream())
    device.workers.dies_of_cards.add(str(card))
    trial = device.agent.host.try_model(card, 1.0)
    assert trial is not None
    assert trial.failed == 1.0


def test_a_trial_of_a_stream_that_ends_says_nothing(device: Device, card: Path) -> None:
    desire(device, 1, stream())
    device.workers.obedient = False
    outcome: list[Any] = []
    original = device.workers.report
    device.workers.report = lambda *_, **__: None  # type: ignore[method-assign] # it takes long
    thread = threading.Thread(target=lambda: outcome.append(device.agent.host.try_model(card, 1.0)))
    thread.start()
    wait_until(lambda: ("cam-1", "try_model") in device.workers.told, "it has begun")
    device.workers.report = original  # type: ignore[method-assign]
    desire(device, 2)
    thread.join(PATIENCE_S)
    assert outcome == [None]


def test_all_streams_look_with_a_model_that_takes_over(device: Device, card: Path) -> None:
    desire(device, 1, stream("cam-1"), stream("cam-2"))
    assert device.agent.host.use_model(card)
    assert set(device.workers.cards.values()) == {str(card)}
    desire(device, 2, stream("cam-1"), stream("cam-2"), stream("cam-3"))
    assert device.workers.cards["cam-3"] == str(card)
    orders = [order for name, order in device.workers.told if name == "cam-1"]
    assert orders == ["run", "apply", "use_model", "apply"]  # strict enough for both in between


@pytest.mark.parametrize("fault", ["refuse_cards", "dies_of_cards"])
def test_a_model_that_a_stream_cannot_use_is_used_by_none(
    device: Device, card: Path, fault: str
) -> None:
    former = str(device.agent.models.card)
    desire(device, 1, stream("cam-1"), stream("cam-2"))
    getattr(device.workers, fault).add(str(card))
    assert not device.agent.host.use_model(card)
    wait_until(lambda: set(device.workers.cards.values()) == {former}, "back to the former")


def test_without_streams_a_model_is_used_from_the_next_on(device: Device, card: Path) -> None:
    assert device.agent.host.use_model(card)
    desire(device, 1, stream())
    assert device.workers.cards == {"cam-1": str(card)}
