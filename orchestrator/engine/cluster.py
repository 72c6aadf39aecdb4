"""The engine of many machines: a dask scheduler places jobs on workers, and what is lost runs elsewhere."""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic

from distributed import Client, Future, KilledWorker

from orchestrator.engine import order, receive, scheduler, worker
from orchestrator.engine.attempt import note_of
from orchestrator.engine.order import Packer, Parcel
from orchestrator.engine.roster import Roster
from orchestrator.engine.scheduler import LOSSES, Address
from orchestrator.engine.task import Done, R, Task
from orchestrator.errors import InfraError, PipelineError
from orchestrator.host import crash, process
from orchestrator.host.store import Store
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.progress import HostFact

_PATIENCE = 60.0
"""Seconds without any worker, or without a new one for what none can run; then nobody waits for one any more."""
_LOOK, _LOOK_EACH = 1.0, 0.05
"""Seconds between two looks at the workers, or so many for each of them: the scheduler tells of all at once."""


@dataclass(frozen=True)
class ClusterEngine:
    """Runs tasks on the workers of a dask scheduler; what they share lies in a store."""

    address: Address
    store: Store
    seen: dict[str, float] = field(default_factory=dict, compare=False)
    """When a worker was seen first, by address: what waits for one waits once, and not in each set of tasks anew."""

    def run(self, tasks: Iterable[Task[R]], workspace: Workspace) -> Generator[Done[R]]:
        """Yield each task as it ends; see ``Engine``. Raises InfraError where the scheduler is not there, or goes."""
        with scheduler.connected(self.address) as client:
            yield from _Session[R](client, self, workspace, Roster(workspace.progress)).run(tasks)

    def sharing(self, workspace: Workspace) -> Workspace:
        """Return the workspace with the store: what a worker has built is taken from there."""
        return replace(workspace, store=self.store)

    def words(self, jobs: Iterable[Job]) -> str:
        """Say where the jobs run."""
        count = len(list(jobs))
        return f"engine: {count} jobs for the workers of {self.address.scheduler}, the store is {self.store.url}"


@dataclass
class _Begun(Generic[R]):
    task: Task[R]
    turn: int
    need: Mapping[str, float]
    future: Future


@dataclass
class _Queue(Generic[R]):
    """Tasks that are to be sent, with their turns: first those that are to run ``again``."""

    waiting: Iterator[tuple[int, Task[R]]]
    again: list[tuple[int, Task[R]]]
    _held: tuple[int, Task[R]] | None = None

    def first(self) -> tuple[int, Task[R]] | None:
        """Return the next one, which stays the next one until it is taken; None where there is none."""
        if self._held is None:
            self._held = self.again.pop(0) if self.again else next(self.waiting, None)
        return self._held

    def take(self) -> None:
        """Let the next one be another."""
        self._held = None


@dataclass
class _Session(Generic[R]):
    """One run of tasks: what is in the air, who is there, and what has come back."""

    client: Client
    engine: ClusterEngine
    workspace: Workspace
    roster: Roster
    topic: str = field(default_factory=lambda: f"wpci-{secrets.token_hex(8)}")
    ended: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    begun: dict[str, _Begun[R]] = field(default_factory=dict)
    again: list[tuple[int, Task[R]]] = field(default_factory=list)
    refused: list[tuple[int, Task[R], PipelineError]] = field(default_factory=list)
    """What no worker can run that is there, and why: it waits for one that comes."""
    noted: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    looked: float = 0.0
    staffed: float = field(default_factory=time.monotonic)
    """When there was a worker last."""

    def run(self, tasks: Iterable[Task[R]]) -> Generator[Done[R]]:
        packer = Packer(self.workspace, self.engine.store, self.topic)
        waiting = enumerate(tasks)
        self.client.subscribe_topic(self.topic, self._event)
        if page := scheduler.dashboard(self.client):
            self.workspace.progress.note(f"dashboard: {page}")
        try:
            self._await_workers()
            yield from self._all(waiting, packer)
        finally:
            self.over.set()
            self._cancel()

    def _all(self, waiting: Iterator[tuple[int, Task[R]]], packer: Packer) -> Iterator[Done[R]]:
        tasks = _Queue(waiting, self.again)
        ended: _Begun[R] | None = None
        while True:
            yield from self._sent(tasks, packer)  # before a result is fetched: no worker is idle for that long
            if ended:
                if done := self._taken(ended, packer):
                    yield done
                ended = None
                continue
            if not self.begun and tasks.first() is None and not self._may_be_run():
                yield from (Done(task, refusal) for _, task, refusal in self.refused)
                self._look()  # a worker that went is named, also where its job has ended elsewhere meanwhile
                return
            ended = self._next()

    def _sent(self, tasks: _Queue[R], packer: Packer) -> Iterator[Done[R]]:
        """Send what there is room for, and keep what no worker can run; yield what cannot be sent."""
        while (following := tasks.first()) is not None:
            turn, task = following
            if (refusal := self.roster.refusal(task.job)) is not None:
                self._keep(turn, task, refusal)
            elif not self.roster.has_room(task.job, [one.need for one in self.begun.values()]):
                return
            elif fault := self._begin(turn, task, packer):
                yield Done(task, fault)
            tasks.take()

    def _keep(self, turn: int, task: Task[R], refusal: PipelineError) -> None:
        self.refused.append((turn, task, refusal))
        if str(refusal) not in self.noted:  # once, however many jobs need as much
            self.noted.add(str(refusal))
            self.workspace.progress.note(f"{task.name}: {refusal}: it waits for a worker that has")

    def _may_be_run(self) -> bool:
        """Whether a worker may still come that can run what was refused."""
        return bool(self.refused) and time.monotonic() - max(self.engine.seen.values()) <= _PATIENCE

    def _await_workers(self) -> None:
        self._look()
        if not self.roster.fit:
            self.workspace.progress.note(f"waiting for a worker at {self.engine.address.scheduler}")
        while not self.roster.fit:
            process.check_wanted()
            time.sleep(_LOOK / 2)
            self._look()

    def _look(self) -> None:
        """See which workers are there. Raises InfraError where there has been none for too long."""
        self.looked = time.monotonic()
        known = self._answered(lambda: self.client.scheduler_info(n_workers=-1))
        if "workers" not in known:  # what a client has that lost its scheduler
            raise self.engine.address.lost()
        before = self.roster.members.keys()
        self.roster.update(known["workers"])
        if came := self.roster.members.keys() - before:
            for address in came:
                self.engine.seen.setdefault(address, self.looked)
            self.again.extend((turn, task) for turn, task, _ in self.refused)
            self.refused.clear()
        if self.roster.fit:
            self.staffed = self.looked
        elif self.looked - self.staffed > _PATIENCE:
            raise InfraError(f"no worker of this version is at {self.engine.address.scheduler} for {_PATIENCE:.0f} s")

    # what runs

    def _begin(self, turn: int, task: Task[R], packer: Packer) -> PipelineError | None:
        """Send a task on its way; return the fault that kept it here."""
        try:
            with crash.contained(self.workspace.directory):
                ordered = packer.order(turn, task)
        except PipelineError as error:
            return error
        need, key = self.roster.need(task.job), f"{self.topic}-{turn}-{secrets.token_hex(4)}"
        future = self._answered(
            lambda: self.client.submit(
                worker.run_order,
                ordered,
                key=key,
                resources=order.resources(need),
                workers=self.roster.addresses,
                priority=-turn,
                pure=False,
            )
        )
        self.begun[key] = _Begun(task, turn, need, future)
        # called in the client's own thread: the queue is all that it shares with this one
        future.add_done_callback(lambda done: self.ended.put(done.key))
        return None

    def _next(self) -> _Begun[R] | None:
        """Wait for a task to end, but no longer than until the workers are to be looked at."""
        if time.monotonic() - self.looked > max(_LOOK, len(self.roster.members) * _LOOK_EACH):
            self._look()
        try:
            return self.begun.pop(self.ended.get(timeout=_LOOK))
        except queue.Empty:
            process.check_wanted()
            return None

    def _taken(self, ended: _Begun[R], packer: Packer) -> Done[R] | None:
        """Take the result of a task that has ended, once; None where it is to run again."""
        future, name = ended.future, ended.task.name
        if future.status == "cancelled":
            raise self.engine.address.lost()
        if future.status == "lost":  # it ended, and its worker went before the result had come here
            self._answered(lambda: scheduler.check_there(self.client))
            self.again.append((ended.turn, ended.task))
            return None
        if future.status == "error":
            error = self._answered(future.exception)
            if isinstance(error, KilledWorker):
                return Done(
                    ended.task, InfraError(f"{name} lost {LOSSES} workers, the last is {error.last_worker.name}")
                )
            return Done(ended.task, crash.fault(error, self.workspace.directory))
        parcel: Parcel[R] = self._answered(future.result)
        future.release()
        if self.roster.sets_aside(parcel):
            self.again.append((ended.turn, ended.task))
            return None
        outcome = receive.opened(parcel, packer.repositories, self.workspace, self.engine.store)
        return Done(ended.task, outcome)

    # what is said, and the end

    def _event(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Show what an order says of itself. Called in the client's own thread, and once more when all is over."""
        _, message = event
        if self.over.is_set() or "order" not in message:
            return
        name, progress = message["order"], self.workspace.progress
        if message["what"] == "figure":
            what = f"{message['on']}: {name}: {message['text']}"
            progress.advance(what, message["done"], message["total"], message["left"])
            return
        text = note_of(message)
        is_named = name in text or isinstance(text, HostFact)
        progress.note(type(text)(f"{message['on']}: {text}" if is_named else f"{message['on']}: {name}: {text}"))

    def _answered(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (OSError, TimeoutError, RuntimeError) as error:
            raise self.engine.address.lost() from error

    def _cancel(self) -> None:
        futures = [one.future for one in self.begun.values()]
        self.begun.clear()
        with contextlib.suppress(Exception):
            self.client.cancel(futures, force=True)
