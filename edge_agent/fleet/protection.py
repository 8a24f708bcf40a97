"""What protection is in force for a stream, and what of the cloud's wishes waits for consent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from edge_agent.errors import SettingsError
from edge_agent.settings import Protect
from edge_agent.worker import job
from fleet_contract.errors import ContractError
from fleet_contract.protection import Label, Protection
from fleet_contract.ratchet import Change, loosen, split

UNVEIL = "unveil"  # what a consent to end a veil names in place of a field

Thresholds = Mapping[Label, float]


@dataclass(frozen=True, slots=True)
class Consent:
    """Given on the device. It covers the field at `path` down to what `asked` says, no further.

    `asked` is what the cloud wanted when it was given; None for UNVEIL. `expires_at` in ms since
    1970-01-01 UTC.
    """

    stream: str
    path: str
    asked: Protection | None
    expires_at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force for one stream.

    base: without any consent, and what the device must remember; now: with the consents given;
    held_back: fields of the wish that are not in force; consents: those that count now, by path.
    """

    base: Protection
    now: Protection
    held_back: tuple[str, ...]
    consents: tuple[Consent, ...]

    def for_worker(self) -> job.Protection:
        """As a worker is told. The picture is bare only as long as a consent to it lasts."""
        until = [consent.expires_at for consent in self.consents if consent.path == "mosaic"]
        bare_until = None if self.now.mosaic else max(until)
        return job.Protection(protect=to_settings(self.now), bare_until_ms=bare_until)


def stand(
    device: Protection,
    remembered: Protection | None,
    wanted: Protection,
    thresholds: Thresholds,
    consents: Iterable[Consent] = (),
) -> Standing:
    """What is in force when the cloud wants `wanted`.

    device: the owner's settings; remembered: the `base` of this stream so far, None for one that
    is not known; thresholds: the running model's, empty if there is none; consents: those to this
    stream that have not expired. Raises ContractError when the zones become too many.
    """
    base = split(_floor(device, remembered, thresholds), wanted, thresholds).now
    given = tuple(consents)
    consented = [
        change
        for consent in given
        if consent.asked is not None
        for change in _loosened(base, consent.asked, thresholds)
        if change.path == consent.path
    ]
    try:
        now = split(loosen(base, consented), wanted, thresholds).now
    except ContractError:  # a consent to other zones than are wanted now leaves no room
        now = base
    held_back = tuple(change.path for change in _loosened(now, wanted, thresholds))
    return Standing(base, now, held_back, given)


def waiting(base: Protection, wanted: Protection) -> tuple[Change, ...]:
    """What of `wanted` is not in force by `base`, without any consent."""
    return _loosened(base, wanted, {})


def stricter_for_both(
    one: Protection, ones_model: Thresholds, two: Protection, twos_model: Thresholds
) -> Protection:
    """What hides at least as much as either does with its own model, whichever of the two models
    looks: for the moment in which one takes the other's place."""
    try:
        return split(_spelt_out(one, ones_model), _spelt_out(two, twos_model), {}).now
    except ContractError:  # zones are the same in both; if ever not, the older ones stay
        return one


def from_settings(protect: Protect) -> Protection:
    """The owner's settings in the contract's words. Raises SettingsError."""
    try:
        return Protection.model_validate({"mosaic": True, **protect.model_dump(exclude={"model"})})
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"device.toml: protect.{where}: {first['msg']}") from None


def to_settings(protection: Protection) -> Protect:
    """The same in the agent's own words; `mosaic` is not among them."""
    return Protect.model_validate(protection.model_dump(exclude={"mosaic"}))


def _floor(device: Protection, remembered: Protection | None, thresholds: Thresholds) -> Protection:
    """What is in force before the wish. The owner's own settings always count: a threshold that
    the cloud had lowered for one model may be a higher one for the next."""
    if remembered is None:
        return device
    return split(device, remembered, thresholds).now if thresholds else remembered


def _spelt_out(protection: Protection, own: Thresholds) -> Protection:
    """Each absent threshold replaced by the model's own."""
    thresh = {f"{label}": value for label, value in own.items()}
    rules = {
        label: rule.model_copy(
            update={"thresh": thresh.get(label) if rule.thresh is None else rule.thresh}
        )
        for label, rule in protection.classes
    }
    classes = protection.classes.model_copy(update=rules)
    return protection.model_copy(update={"classes": classes})


def _loosened(now: Protection, after: Protection, thresholds: Thresholds) -> tuple[Change, ...]:
    try:
        return split(now, after, thresholds).loosened
    except ContractError:
        return ()
