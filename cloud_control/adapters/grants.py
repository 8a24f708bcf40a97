"""What a name may read and write on a broker: one rule, enforced by every broker."""

from __future__ import annotations

from dataclasses import dataclass

from cloud_control.pki import CONTROL, device_name
from fleet_contract.topics import ROOT, agent_reads, agent_writes

EVERYTHING = f"{ROOT}/#"


@dataclass(frozen=True, slots=True)
class Grants:
    """Topic filters that one client may read (subscribe to) and write (publish to)."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]

    def may_subscribe(self, wanted: str) -> bool:
        """Only a filter that is granted as it stands, or a topic that one covers."""
        plain = "+" not in wanted and "#" not in wanted
        return wanted in self.reads or (plain and self.may_read(wanted)) or self._all(wanted)

    def may_read(self, topic: str) -> bool:
        return any(covers(granted, topic) for granted in self.reads)

    def may_write(self, topic: str) -> bool:
        return any(covers(granted, topic) for granted in self.writes)

    def _all(self, wanted: str) -> bool:
        return EVERYTHING in self.reads and wanted.startswith(ROOT + "/")


ALL = Grants((EVERYTHING,), (EVERYTHING,))


def grants_of(name: str) -> Grants:
    """By a certificate's common name: the control plane, or `{fleet}/{agent}`.

    Raises CertificateError for a name that is neither.
    """
    if name == CONTROL:
        return ALL
    fleet, _, agent = name.partition("/")
    device_name(fleet, agent)  # a name of wildcards must not widen the filters made from it
    return Grants(
        tuple(granted.filter for granted in agent_reads(fleet, agent)),
        tuple(granted.filter for granted in agent_writes(fleet, agent)),
    )


def covers(pattern: str, topic: str) -> bool:
    """Whether a topic filter matches a topic; `+` stands for a level, a last `#` for the rest."""
    parts, levels = pattern.split("/"), topic.split("/")
    if parts[-1] == "#":
        parts = parts[:-1]
        levels = levels[: len(parts)]
    return len(parts) == len(levels) and all(
        part in {"+", level} for part, level in zip(parts, levels, strict=True)
    )
