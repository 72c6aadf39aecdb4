"""What a machine offers to jobs, measured where it is: cores, memory, disk, and a KVM that a guest has proven."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.engine import slots
from orchestrator.engine.slots import Capacity
from orchestrator.host.cache import Cache
from orchestrator.pipeline.values import Job

_GIB = 2**30


@dataclass(frozen=True)
class Offer:
    """Cores, bytes of memory for guests, free bytes of disk for the cache, and 1 for a proven KVM."""

    cores: int
    memory: int
    disk: int
    kvm: int

    def words(self) -> str:
        """Say what there is."""
        kvm = "KVM, proven by a guest" if self.kvm else "no KVM that a guest has proven"
        return f"{self.cores} cores, {self.memory / _GIB:.1f} GiB for guests, {self.disk / _GIB:.0f} GiB of disk, {kvm}"

    @property
    def amounts(self) -> dict[str, float]:
        """Them by resource."""
        return {"cores": self.cores, "memory": self.memory, "disk": self.disk, "kvm": self.kvm}


def measured(room: Capacity, cache: Cache, proven: bool) -> Offer:
    """Return what this machine has, of which ``room`` is for guests."""
    where = cache.path("store", "x").parent
    return Offer(len(room.cores), room.memory, shutil.disk_usage(where).free, int(proven))


def need(job: Job, offers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return what the guests of a job take, by resource; those of one job run on one machine.

    A guest with more cores than any machine has gets one to itself, as it does here.
    """
    most = {name: max((offer.get(name, 0.0) for offer in offers), default=0.0) for name in ("cores", "memory")}
    guests = slots.needed(job, most["cores"], most["memory"])
    kvm = {"kvm": 1e-6} if job.variant_config.accel == "kvm" else {}  # all of its guests share one KVM
    return {"cores": min(float(guests.cpus), most["cores"] or guests.cpus), "memory": float(guests.memory), **kvm}


def lacking(wanted: Mapping[str, float], offers: Iterable[Mapping[str, float]]) -> str:
    """Say what no machine has enough of, where that is so. Pure."""
    offers = list(offers)
    if any(all(offer.get(name, 0) >= amount for name, amount in wanted.items()) for offer in offers):
        return ""
    short = [name for name, amount in wanted.items() if all(offer.get(name, 0) < amount for offer in offers)]
    parts = [_short(name, wanted[name], max(offer.get(name, 0) for offer in offers)) for name in short or wanted]
    return "no worker has " + (" and ".join(parts) if short else f"all of {', '.join(parts)} at once")


def _short(name: str, wanted: float, most: float) -> str:
    if name == "kvm":
        return "a KVM that a guest has proven"
    if name == "memory":
        return f"{wanted / _GIB:.1f} GiB of memory for a guest (the most is {most / _GIB:.1f})"
    return f"{wanted:.0f} {name} (the most is {most:.0f})"
