"""What others ask of model updates, kept until their thread has time for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fleet_contract.wanted_model import WantedModel


@dataclass(frozen=True, slots=True)
class Want:
    """Bring a model into use; `again`: even if it failed before."""

    model: WantedModel
    while_live: bool
    again: bool


@dataclass(frozen=True, slots=True)
class RollBack:
    """Go back to the last good model."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The model in use has failed; `reason` is a token for the fleet."""

    reason: str


Request = Want | RollBack | Fault


class Requests:
    """A queue that its reader can look into without taking from it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Request] = []
        self._closed = False

    def put(self, request: Request) -> None:
        with self._changed:
            self._waiting.append(request)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, timeout: float | None) -> list[Request] | None:
        """All that wait, at the latest after `timeout` seconds; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting, timeout)
            taken, self._waiting = self._waiting, []
            return None if self._closed else taken

    def overtake(self, wanted: WantedModel) -> bool:
        """Whether something waits that ends work on this model."""
        with self._changed:
            return self._closed or any(
                not isinstance(one, Want) or one.model != wanted for one in self._waiting
            )
