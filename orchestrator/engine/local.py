"""The engine of one machine: a thread for each task that has begun, which waits for its turn in the slots."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic

from orchestrator.engine.slots import Capacity, Slots
from orchestrator.engine.task import Done, Place, R, Task
from orchestrator.host import crash, process
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.progress import HostFact, JobDetail, Progress

_END_PATIENCE = 30.0
"""Seconds that the threads of what is over have to end their guests and builds."""
_LOOK = 0.2
"""Seconds between two looks at whether anybody still waits."""
_WAITING = 2
"""Tasks that have begun beside those whose guests run: one builds, and one has its kernel already."""


@dataclass(frozen=True)
class LocalEngine:
    """Runs tasks here, one build and as many guests at a time as there is room for; or ``most`` tasks."""

    room: Capacity
    most: int | None = None

    def run(self, tasks: Iterable[Task[R]], workspace: Workspace) -> Generator[Done[R]]:
        """Yield each task as it ends; see ``Engine``."""
        most = self.most or (self.room.guests or len(self.room.cores)) + _WAITING
        threads = _Threads[R](workspace, Slots(self.room))
        waiting = iter(tasks)
        try:
            while True:
                while threads.at_work < most and (task := next(waiting, None)) is not None:
                    threads.begin(task)
                if not threads.at_work:
                    return
                yield threads.next_end()
        finally:
            threads.end_all()

    def sharing(self, workspace: Workspace) -> Workspace:
        """Return the workspace: what is made here is here."""
        return workspace

    def words(self, jobs: Iterable[Job]) -> str:
        """Say how many guests run at a time, and why."""
        return self.room.words([self.room.need(job) for job in jobs])


@dataclass
class _Threads(Generic[R]):
    workspace: Workspace
    slots: Slots
    group: process.ChildGroup = field(default_factory=process.ChildGroup)
    over: threading.Event = field(default_factory=threading.Event)
    ended: queue.SimpleQueue[Done[R]] = field(default_factory=queue.SimpleQueue)
    started: list[threading.Thread] = field(default_factory=list)
    at_work: int = 0

    def begin(self, task: Task[R]) -> None:
        """Start the thread of a task."""
        thread = threading.Thread(target=self._work, args=(len(self.started), task), daemon=True)
        self.started.append(thread)
        self.at_work += 1
        thread.start()

    def next_end(self) -> Done[R]:
        """Wait for a task to end. Raises Cancelled."""
        while True:
            process.check_wanted()
            with contextlib.suppress(queue.Empty):
                done = self.ended.get(timeout=_LOOK)
                self.at_work -= 1
                return done

    def _work(self, turn: int, task: Task[R]) -> None:
        process.use_group(self.group)
        progress = JobProgress(task.name, self.workspace.progress, self.over)
        try:
            with crash.contained(self.workspace.directory):
                result = task.work(Place(replace(self.workspace, progress=progress), self.slots, turn))
            self.ended.put(Done(task, result))
        except BaseException as error:  # whatever it is, nobody must wait for this task for ever
            self.ended.put(Done(task, error))

    def end_all(self) -> None:
        """End what still runs, and wait until it is gone."""
        self.over.set()
        self.slots.close()
        self.group.cut()
        deadline = process.Deadline.after(_END_PATIENCE)
        for thread in self.started:
            thread.join(deadline.remaining)


@dataclass(frozen=True)
class JobProgress:
    """Progress of one task among many; when all is over it says nothing more."""

    name: str
    progress: Progress
    over: threading.Event

    def note(self, text: str) -> None:
        """Say a line, with the name of the task."""
        if self.over.is_set():
            return
        self.progress.note(text if isinstance(text, JobDetail | HostFact) else type(text)(f"{self.name}: {text}"))

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Show a figure, with the name of the task."""
        if not self.over.is_set():
            self.progress.advance(f"{self.name}: {what}", done, total, left)
