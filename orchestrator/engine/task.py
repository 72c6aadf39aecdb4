"""The interface between what is to be done and where: tasks go in, what came of each comes out as it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from orchestrator.engine.slots import Slots
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Place:
    """What work finds where it runs: the workspace of its run, and its turn in the slots of that machine."""

    workspace: Workspace
    slots: Slots
    turn: int

    def build(self) -> contextlib.AbstractContextManager[None]:
        """Hold the cores that no guest has. Raises Cancelled."""
        return self.slots.build(self.turn)

    def guest(self, job: Job) -> contextlib.AbstractContextManager[None]:
        """Hold what the guests of this job take. Raises Cancelled."""
        return self.slots.guest(self.slots.room.need(job), self.turn)


class Work(Protocol[R_co]):
    """What a task does: a frozen value, so that it can travel to another machine."""

    def __call__(self, place: Place) -> R_co:
        """Do it. Raises PipelineError."""


@dataclass(frozen=True)
class Task(Generic[R]):
    """One piece of work. ``name`` is unique in a run, and ``job`` says what its guests need."""

    name: str
    job: Job
    work: Work[R]


@dataclass(frozen=True)
class Done(Generic[R]):
    """A task that has ended, and its result or what it raised."""

    task: Task[R]
    outcome: R | BaseException


class Engine(Protocol):
    """Runs tasks somewhere."""

    def run(self, tasks: Iterable[Task[R]], workspace: Workspace) -> Generator[Done[R]]:
        """Yield each task as it ends. The next one is taken from ``tasks`` when there is a place for it.

        Those that were taken first have the first turn. Closing the generator ends what still runs, guests and builds.
        """

    def sharing(self, workspace: Workspace) -> Workspace:
        """Return the workspace in which what its tasks make is at hand."""

    def words(self, jobs: Iterable[Job]) -> str:
        """Say where jobs run, and how many at a time."""
