"""The ten ids of the original app: which are free, in which order, and who holds the others."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from cloud_control.domain.fleet import Kept
from fleet_contract.fields import Id, Millis

IDS = 10


class Lease(Kept):
    """An id in use. stream: what it stands for; address: of the phone that asked for it; since: ms
    since 1970-01-01 UTC."""

    id: int = Field(ge=0, lt=IDS)
    stream: Id
    address: str
    since: Millis


class Desk(Kept):
    """free: the next one first. leases: the oldest first."""

    free: tuple[int, ...] = tuple(range(IDS))
    leases: tuple[Lease, ...] = ()

    def lent(self, lease: Lease) -> Self:
        """With the first free id lent, which must be the lease's."""
        first, *others = self.free
        if first != lease.id:
            raise ValueError("ids are lent in the order of the queue")
        return self.model_copy(update={"free": tuple(others), "leases": (*self.leases, lease)})

    def given_back(self, lease: Lease) -> Self:
        """With an id at the end of the queue again."""
        if lease not in self.leases:
            return self
        others = tuple(one for one in self.leases if one != lease)
        return self.model_copy(update={"free": (*self.free, lease.id), "leases": others})
