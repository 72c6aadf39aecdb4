"""Who may work at once: as many guests as memory and cores allow, and one build on the cores that they leave.

A vCPU that TCG emulates needs a core of its own, and one under KVM is counted alike: what a test of races finds on a
machine that is overbooked says little. A build takes every core that no guest holds when it begins, and keeps to them;
a guest that fits goes before a build that waits, for it is short and its kernel is built.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from orchestrator.config.schema import Machine
from orchestrator.errors import Cancelled
from orchestrator.host import cores
from orchestrator.pipeline.values import Job

_OVERHEAD = 256 * 2**20
"""Bytes that QEMU takes beside the memory of its guest."""
_OURS = 2 * 2**30
"""Bytes that are left to the build and to ourselves."""
_GIB = 2**30

_Ticket = tuple[int, int]
"""A turn, and the number of the arrival."""


@dataclass(frozen=True)
class Need:
    """What a guest takes: cores, and bytes of memory."""

    cpus: int
    memory: int

    @classmethod
    def of(cls, machine: Machine) -> Need:
        """Return what a guest with this hardware takes."""
        return cls(machine.cpus, machine.memory + _OVERHEAD)


def needed(job: Job, cores: float, memory: float) -> Need:
    """Return what the guests of a job take where there is so much: as many as fit, and one in any case."""
    one = Need.of(job.variant_config.machine)
    count = max(1, min(job.guests, int(cores // one.cpus), int(memory // one.memory)))
    return Need(count * one.cpus, count * one.memory)


@dataclass(frozen=True)
class Capacity:
    """What there is for guests. ``guests`` is a number that a person gave: then nothing else counts."""

    cores: frozenset[int]
    memory: int
    guests: int | None = None

    def fit(self, needs: list[Need]) -> bool:
        """Whether guests with these needs can run at once; one alone always can."""
        if len(needs) <= 1:
            return True
        if self.guests is not None:
            return len(needs) <= self.guests
        return sum(n.cpus for n in needs) <= len(self.cores) and sum(n.memory for n in needs) <= self.memory

    def need(self, job: Job) -> Need:
        """Return what the guests of a job take here."""
        return needed(job, len(self.cores), self.memory)

    def most(self, need: Need) -> int:
        """Return how many guests of one need fit at once."""
        return next(count for count in range(1, 10_000) if not self.fit([need] * (count + 1)))

    def words(self, needs: list[Need]) -> str:
        """Say how many guests run at once, and why."""
        largest = Need(max(n.cpus for n in needs), max(n.memory for n in needs))
        if self.guests is not None:
            return f"guests: {self.guests} at a time, as asked for"
        return (
            f"guests: {self.most(largest)} at a time: {len(self.cores)} cores and {self.memory / _GIB:.1f} GiB here, "
            f"the largest takes {largest.cpus} and {largest.memory / _GIB:.1f}"
        )


def here(guests: int | None = None, share: float = 1.0) -> Capacity:
    """Return what this machine has left for guests, as far as this process may use it: ``share`` of its memory."""
    memory = max(0, cores.available_memory() - _OURS)
    return Capacity(frozenset(os.sched_getaffinity(0)), int(memory * share), guests)


def _pin(cores: frozenset[int]) -> None:
    """Let this thread, and what it starts from now on, run on these cores only."""
    os.sched_setaffinity(0, cores)


@dataclass
class Slots:
    """Lets threads begin in their turn: the lowest number first; of one number, which two runs may have, the first."""

    room: Capacity
    pin: Callable[[frozenset[int]], None] = _pin
    _guests: list[Need] = field(default_factory=list)
    _build: frozenset[int] | None = None
    _waiting: dict[_Ticket, Need] = field(default_factory=dict)
    _builders: set[_Ticket] = field(default_factory=set)
    _arrivals: Iterator[int] = field(default_factory=itertools.count)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    @contextlib.contextmanager
    def guest(self, need: Need, turn: int) -> Iterator[None]:
        """Hold what a guest takes. Raises Cancelled."""
        with self._changed:
            # the lowest turn waits in front, although a smaller guest behind it might fit: else it would starve
            ticket = (turn, next(self._arrivals))
            self._waiting[ticket] = need
            self._wait(lambda: ticket == min(self._waiting) and self._fits(need))
            del self._waiting[ticket]
            self._guests.append(need)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:  # given back however the guest ended: a night goes on with what is free
                self._guests.remove(need)
                self._changed.notify_all()

    @contextlib.contextmanager
    def build(self, turn: int) -> Iterator[None]:
        """Hold the cores that no guest has; this thread and what it starts keep to them. Raises Cancelled."""
        with self._changed:
            ticket = (turn, next(self._arrivals))
            self._builders.add(ticket)
            self._wait(lambda: ticket == min(self._builders) and self._may_build())
            self._builders.remove(ticket)
            self._build = self._left()
        # outside the lock: the cores are ours by now, and sched_setaffinity is of this thread alone
        self.pin(self._build)
        try:
            yield
        finally:
            self.pin(self.room.cores)  # before the cores are given back: the next build pins its own thread to them
            with self._changed:
                self._build = None
                self._changed.notify_all()

    def close(self) -> None:
        """End every wait with Cancelled; who works already is ended by other means."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, condition: Callable[[], bool]) -> None:
        # one condition for all: what frees a core may let a guest begin, or a build, and each looks for itself
        self._changed.wait_for(lambda: self._closed or condition())
        if self._closed:
            raise Cancelled

    def _fits(self, need: Need) -> bool:
        if self._build is not None and self.room.guests is None:
            return self.room.fit([Need(len(self._build), 0), *self._guests, need])
        return self.room.fit([*self._guests, need])

    def _may_build(self) -> bool:
        first = self._waiting[min(self._waiting)] if self._waiting else None
        return self._build is None and bool(self._left()) and not (first and self._fits(first))

    def _left(self) -> frozenset[int]:
        """Return the cores that no guest holds; one is left where a person asked for more guests than there are."""
        held = sum(need.cpus for need in self._guests)
        left = sorted(self.room.cores)[held:]
        return frozenset(left or (sorted(self.room.cores)[-1:] if self.room.guests is not None else []))
