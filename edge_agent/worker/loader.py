"""Loads models beside a running stream: verified, self-tested and warm, or refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import structlog

from edge_agent.build import Model, model_from, verified, warm_factory
from edge_agent.detectors import Build
from edge_agent.errors import VeilcastError
from edge_agent.settings import Classes

LONGEST_LOAD_S = 60.0

log = structlog.get_logger()

Loaded = Callable[[Model, Build], None]
Refused = Callable[[str], None]


class Loader:
    """One model after the other, in a thread of its own; a model that hangs is given up."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[str, Classes, Loaded, Refused]] = SimpleQueue()
        threading.Thread(target=self._work, name="loader", daemon=True).start()

    def load(self, card: str, classes: Classes, loaded: Loaded, refused: Refused) -> None:
        """Load the model of that card, and call one of the two from another thread; `refused` is
        told why, in one word."""
        self._queue.put((card, classes, loaded, refused))

    def _work(self) -> None:
        while True:
            card, classes, loaded, refused = self._queue.get()
            came: list[tuple[Model, Build] | Exception] = []
            thread = threading.Thread(
                target=lambda card=card, classes=classes, came=came: came.append(
                    _load(card, classes)
                ),
                name="load model", daemon=True,
            )  # fmt: skip
            thread.start()
            thread.join(LONGEST_LOAD_S)
            result = came[0] if came else None
            if isinstance(result, tuple):
                loaded(*result)
            else:
                log.error("model_refused", reason=str(result or "loading it takes too long"))
                refused("model_failed" if came else "model_hangs")


def _load(card: str, classes: Classes) -> tuple[Model, Build] | Exception:
    try:
        model = model_from(verified(Path(card)), classes)
        return model, warm_factory(model)
    except VeilcastError as problem:
        return problem
    except Exception as problem:  # noqa: BLE001 - whatever it is, the model is not used
        return problem
