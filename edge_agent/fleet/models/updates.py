"""The agent's models: which one runs, and how the next one takes its place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge_agent.fleet.models.installer import Host, Installer
from edge_agent.fleet.models.judgement import Probation
from edge_agent.fleet.models.outcomes import (
    OF_THE_REPOSITORY,
    NotNowError,
    OvertakenError,
    RefusedError,
    StreamIsLiveError,
)
from edge_agent.fleet.models.record import ENDED, Attempt, RecordFile, Step
from edge_agent.fleet.models.recovery import recovered
from edge_agent.fleet.models.requests import Fault, Request, Requests, RollBack, Want
from edge_agent.fleet.models.store import BUILT_IN, ModelStore
from edge_agent.fleet.models.transfer import ModelSource, Patience, Transfer
from edge_agent.fleet.models_port import running_model
from edge_agent.media.backoff import Backoff
from edge_agent.worker.report import WorkerReport
from fleet_contract.reported import ModelUpdate, RunningModel
from fleet_contract.wanted_model import WantedModel, is_newer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. live: between two looks whether a stream is still live; again: until a repository
    that was refused is asked once more; probation: how long a new model has to prove itself."""

    live: float = 5.0
    first_retry: float = 5.0
    longest_retry: float = 300.0
    again: float = 1800.0
    probation: float = 300.0
    trial: float = 60.0


class ModelUpdates:
    """Works in a thread of its own: every method returns at once and may be called from any thread.

    folder: where all of it is kept; built_in: the card of the model that came with the software;
    on_change: called in the own thread when `update`, `running` or `card` changed. Raises
    FleetError if the source is not acceptable.
    """

    def __init__(
        self,
        folder: Path,
        source: ModelSource,
        *,
        built_in: Path,
        host: Host,
        on_change: Callable[[], None],
        times: Times | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._times = times or Times()
        self._transfer = Transfer(source, patience)
        self._host, self._on_change = host, on_change
        self._store = ModelStore(folder, built_in)
        self._file = RecordFile(folder / "record.json")
        self._requests, self._again_at = Requests(), 0.0
        self._backoff = Backoff(self._times.first_retry, self._times.longest_retry)
        self._installer = Installer(
            self._store, source, self._transfer, host, self._enter, self._keep_on, self._times.trial
        )
        self._record = recovered(self._file, self._store)
        self._running = running_model(self.card)
        self._probation = self._new_probation()
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)
        self._thread.start()

    @property
    def update(self) -> ModelUpdate | None:
        """How far the newest update came."""
        attempt = self._record.attempt
        if attempt is None:
            return None
        return ModelUpdate(version=attempt.wanted.version, step=attempt.step, reason=attempt.reason)

    @property
    def running(self) -> RunningModel | None:
        """The model in use; None: not even the built-in one can be read."""
        return self._running

    @property
    def card(self) -> Path:
        """The card of the model in use; the form for this processor lies beside it."""
        return self._store.card_path(self._record.current)

    def want(self, model: WantedModel, while_live: bool, *, again: bool = False) -> None:
        """Bring this model into use. One that was refused or rolled back is tried anew only if
        asked `again`, or after another one was wanted; faults of the repository do not count."""
        self._requests.put(Want(model, while_live, again))

    def roll_back(self) -> None:
        """End an update that is under way; if there is none, or the model in use has yet to prove
        itself, go back to the last good one. Needs no network."""
        self._requests.put(RollBack())

    def heard(self, stream: str, report: WorkerReport) -> None:
        """What a stream's worker tells: a model that fails in its first minutes goes back."""
        probation = self._probation
        if probation is None or not self._on_probation():
            return
        fault = probation.fault(stream, report)
        if fault:
            self._probation = None
            self._requests.put(Fault(fault))

    def close(self) -> None:
        """End; what was under way goes on after the next start."""
        self._requests.close()
        self._thread.join(5.0)
        self._transfer.close()

    def _run(self) -> None:
        waiting: list[Request] = []
        pause: float | None = 0.0
        while (asked := self._requests.take(pause)) is not None:
            waiting += asked
            try:
                while waiting:
                    self._accept(waiting[0])
                    waiting.pop(0)
                pause = self._work()
            except OSError as problem:  # the disk is full: what runs goes on running
                log.error("model_record_not_written", reason=problem.strerror)
                pause = self._backoff.next()

    def _accept(self, request: Request) -> None:
        if isinstance(request, Want):
            self._begin(request)
        elif isinstance(request, RollBack):
            self._roll_back()
        elif self._record.probation_ends_ms is not None:
            self._go_back(request.reason)

    def _roll_back(self) -> None:
        """End an update under way; go back only if there was none, or from an unproven model."""
        attempt = self._record.attempt
        under_way = attempt is not None and attempt.step not in ENDED
        if under_way:
            self._end("rolled_back", "by_command")
        if not under_way or self._on_probation():
            self._go_back("by_command")

    def _on_probation(self) -> bool:
        ends = self._record.probation_ends_ms
        return ends is not None and _now_ms() < ends

    def _begin(self, request: Want) -> None:
        attempt, runs = self._record.attempt, self._runs(request.model)
        if attempt is not None and attempt.wanted == request.model:
            if attempt.step not in ENDED:
                if request.while_live and not attempt.while_live:
                    self._write(attempt=attempt.model_copy(update={"while_live": True}))
                return
            failed = attempt.step != "done" and attempt.reason not in OF_THE_REPOSITORY
            if (failed and not request.again) or (attempt.step == "done" and runs):
                return
        self._backoff.reset()
        self._write(
            attempt=Attempt(
                wanted=request.model,
                while_live=request.while_live,
                step="done" if runs else "waiting",
            )
        )

    def _work(self) -> float | None:
        """Do what is due; returns the seconds until something else is, None if nothing."""
        attempt = self._record.attempt
        if attempt is None or attempt.step in {"done", "rolled_back"}:
            return None
        if attempt.step == "refused":
            return self._ask_again(attempt)
        try:
            self._switch(self._installer.install(self._record, attempt))
        except StreamIsLiveError:
            self._enter("waiting")
            return self._times.live
        except NotNowError as problem:
            log.info("model_update_later", model=attempt.wanted.name, reason=str(problem))
            return self._backoff.next()
        except RefusedError as problem:
            log.warning("model_refused", model=attempt.wanted.name, reason=problem.reason)
            self._end("refused", problem.reason)
            self._store.drop_others(self._record.keys)
        except OvertakenError:
            pass
        return 0.0

    def _ask_again(self, attempt: Attempt) -> float | None:
        """A repository that was refused may be sound later."""
        if attempt.reason not in OF_THE_REPOSITORY:
            return None
        left = self._again_at - time.monotonic()
        if left > 0:
            return left
        self._write(attempt=attempt.model_copy(update={"step": "waiting", "reason": None}))
        return 0.0

    def _switch(self, key: str) -> None:
        """Record it, then use it: after a crash in between it is used from the start."""
        record, card = self._record, self._store.card(key)
        assert card is not None, "the installer has read it"
        returning = key in {record.current, record.last_good, BUILT_IN}
        last_good = record.last_good if self._on_probation() else record.current
        newest = record.newest.get(card.name, card.version)
        if is_newer(card.version, newest):
            newest = card.version
        self._write(
            current=key,
            last_good=key if returning else last_good,
            former=record.current,
            newest=record.newest | {card.name: newest},
            probation_ends_ms=None if returning else _now_ms() + int(self._times.probation * 1000),
        )
        if self._use():
            self._end("done", None)
        else:
            self._go_back("use_failed")

    def _go_back(self, reason: str) -> None:
        """To the last good model, or to the built-in one if that is damaged."""
        record = self._record
        good = record.last_good if self._store.is_whole(record.last_good) else BUILT_IN
        if good == record.current:
            return
        log.warning("model_rolled_back", reason=reason)
        attempt = record.attempt
        if attempt is not None and self._runs(attempt.wanted):
            attempt = attempt.model_copy(update={"step": "rolled_back", "reason": reason})
        self._write(current=good, last_good=good, probation_ends_ms=None, attempt=attempt)
        self._use()

    def _use(self) -> bool:
        """Let the streams follow; whether they could. If so, the others' files are of no use."""
        self._probation = self._new_probation()
        record = self._record
        able = self._host.use_model(self.card)
        if able:
            self._store.drop_others(record.keys)
        return able

    def _enter(self, step: Step) -> None:
        self._keep_on()
        attempt = self._record.attempt
        if attempt is not None and attempt.step != step:
            self._write(attempt=attempt.model_copy(update={"step": step}))

    def _end(self, step: Step, reason: str | None) -> None:
        self._again_at = time.monotonic() + self._times.again
        attempt = self._record.attempt
        if attempt is not None:
            self._write(attempt=attempt.model_copy(update={"step": step, "reason": reason}))

    def _write(self, **changes: object) -> None:
        """Store first, then let it be seen."""
        record = self._record.model_copy(update=changes)
        self._file.write(record)
        self._record = record
        self._running = running_model(self.card)
        self._on_change()

    def _keep_on(self) -> None:
        attempt = self._record.attempt
        if attempt is not None and self._requests.overtake(attempt.wanted):
            raise OvertakenError

    def _runs(self, model: WantedModel) -> bool:
        running = self._running
        return running is not None and (running.name, running.version) == (
            model.name,
            model.version,
        )

    def _new_probation(self) -> Probation | None:
        record = self._record
        if record.probation_ends_ms is None:
            return None
        return Probation(self._store.sha256s(record.current))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
