"""One attempt to bring a wanted model into use, step by step. What a step needs of the rest of the
agent is in `Host`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TargetFile

from edge_agent.fleet.models.catalog import Catalog
from edge_agent.fleet.models.download import KeepOn
from edge_agent.fleet.models.judgement import fault_of_trial
from edge_agent.fleet.models.outcomes import (
    NotNowError,
    RefusedError,
    StreamIsLiveError,
)
from edge_agent.fleet.models.package import fetch_package
from edge_agent.fleet.models.record import Attempt, Record, Step
from edge_agent.fleet.models.store import BUILT_IN, ModelStore
from edge_agent.fleet.models.transfer import ModelSource, Transfer
from edge_agent.fleet.self_test import SelfTestError, run_self_test
from edge_agent.worker.report import TrialReport
from fleet_contract.wanted_model import is_newer

MOST_INTERRUPTIONS = 3
TRIAL_S = 60.0


class Host(Protocol):
    """What the running streams do for model updates; callable from any thread."""

    def live_streams(self) -> int:
        """How many are live now."""
        ...

    def try_model(self, card: Path, seconds: float) -> TrialReport | None:
        """Look with it beside the running one; None: no stream is live."""
        ...

    def use_model(self, card: Path) -> bool:
        """Look with it from now on, in all streams; whether all could."""
        ...


@dataclass(frozen=True, slots=True)
class Installer:
    """`enter` stores a step before it begins; `keep_on` raises when the attempt is overtaken."""

    store: ModelStore
    source: ModelSource
    transfer: Transfer
    host: Host
    enter: Callable[[Step], None]
    keep_on: KeepOn
    trial_s: float = TRIAL_S

    def install(self, record: Record, attempt: Attempt) -> str:
        """The key of the wanted model, kept, tested and tried. Raises RefusedError, NotNowError.

        A model that ran here and is kept may come back although it is older, at once and without a
        trial, if the repository still stands behind it.
        """
        wanted = attempt.wanted
        kept = self.store.find(wanted.name, wanted.version)
        proven = kept in {BUILT_IN, record.current, record.last_good, record.former}
        newest = record.newest.get(wanted.name)
        if newest is not None and is_newer(newest, wanted.version) and not proven:
            raise RefusedError("older_version")
        if attempt.interrupted >= MOST_INTERRUPTIONS:
            raise RefusedError("interrupted")
        if not proven:
            self._wait_for_rest(attempt)
        self.enter("downloading")
        catalog = Catalog(self.store.metadata, self.source, self.transfer)
        if kept is None:
            package = fetch_package(
                wanted, catalog, self.store.incoming, self.transfer, self.keep_on
            )
            self.enter("verifying")
            kept = self.store.keep(package)
        else:
            self.enter("verifying")
            self._check_signed(kept, catalog.need(wanted.target))
        if not proven:
            self._wait_for_rest(attempt)
        self.enter("testing")
        self._test(kept)
        if not proven:
            self.enter("shadowing")
            self._try(kept)
        self.keep_on()
        return kept

    def _wait_for_rest(self, attempt: Attempt) -> None:
        try:
            if not attempt.while_live and self.host.live_streams():
                raise StreamIsLiveError
        except TimeoutError:
            raise NotNowError("the agent does not answer") from None

    def _check_signed(self, key: str, card: TargetFile) -> None:
        """What is kept must be the very model that is signed today."""
        try:
            card.verify_length_and_hashes(self.store.card_path(key).read_bytes())
        except LengthOrHashMismatchError:
            raise RefusedError("not_in_repository") from None

    def _try(self, key: str) -> None:
        fault = fault_of_trial(self.host.try_model(self.store.card_path(key), self.trial_s))
        if fault:
            raise RefusedError(fault)

    def _test(self, key: str) -> None:
        try:
            run_self_test(self.store.card_path(key))
        except SelfTestError as problem:
            raise RefusedError(str(problem)) from None
