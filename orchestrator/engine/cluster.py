"""The engine of many machines: a dask scheduler places jobs on workers, and what is lost runs elsewhere."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import queue
import secrets
import tarfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import dask
from distributed import Client, Future, KilledWorker

from orchestrator.engine import homecoming, offer, order, portable, worker
from orchestrator.engine.attempt import note_of
from orchestrator.engine.certificates import Certificates
from orchestrator.engine.order import Fault, Packer, Parcel
from orchestrator.engine.task import Done, R, Task
from orchestrator.errors import InfraError, PipelineError
from orchestrator.host import crash
from orchestrator.host.store import Store
from orchestrator.model import JobResult, Verdict
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.plan import Job

LOSSES = 3
"""Workers that a job may lose; then it is the job's fault, and the host's that ran it."""
FAILURES = 3
"""Jobs in a row that may end as faults of the host on one worker; then it is set aside."""
_PATIENCE = 60.0
"""Seconds in which a first worker must come."""
_LOOK, _LOOK_EACH = 1.0, 0.05
"""Seconds between two looks at the workers, or so many for each of them: the scheduler tells of all at once."""


@dataclass(frozen=True)
class Address:
    """Where the scheduler is, how one proves oneself there, and how long a worker may be silent, in seconds."""

    scheduler: str
    certificates: Certificates
    silence: float = 60.0


@dataclass(frozen=True)
class ClusterEngine:
    """Runs tasks on the workers of a dask scheduler; what they share lies in a store."""

    address: Address
    store: Store

    def run(self, tasks: Iterable[Task[R]], workspace: Workspace) -> Generator[Done[R]]:
        """Yield each task as it ends; see ``Engine``. Raises InfraError where the scheduler is not there, or goes."""
        with _connected(self.address) as client:
            yield from _Session[R](client, self, workspace).run(tasks)

    def words(self, jobs: Iterable[Job]) -> str:
        """Say where the jobs run."""
        count = len(list(jobs))
        return f"engine: {count} jobs for the workers of {self.address.scheduler}, the store is {self.store.url}"


@contextlib.contextmanager
def _connected(address: Address) -> Iterator[Client]:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(worker.SETTINGS):
        try:
            client = Client(
                address.scheduler, security=worker.security(address.certificates), timeout=20, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise InfraError(f"cannot reach the scheduler {address.scheduler}: {error}") from error
        try:
            client.run_on_scheduler(_rules, losses=LOSSES, silence=address.silence)
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.close(timeout=2)


def _rules(dask_scheduler: Any, losses: int, silence: float) -> None:
    """Let a scheduler go by our rules: how often a job may lose its worker, and how long a worker may be silent."""
    dask_scheduler.allowed_failures = losses - 1
    dask_scheduler.worker_ttl = silence
    look = dask_scheduler.periodic_callbacks["worker-ttl"]
    look.stop()  # else the next look is when it was to be before
    look.callback_time = silence * 500  # milliseconds
    look.start()


def _has_pages(dask_scheduler: Any) -> bool:
    """Whether a scheduler shows its dashboard: without bokeh there is an address, and no page."""
    return "dashboard" in dask_scheduler.identity()["services"] and importlib.util.find_spec("bokeh") is not None


@dataclass
class _Worker:
    """A worker as the submitter sees it: what it offers, and how many faults of the host came from it in a row."""

    name: str
    address: str
    offers: Mapping[str, float]
    failures: int = 0
    aside: bool = False


@dataclass
class _Begun(Generic[R]):
    task: Task[R]
    turn: int
    need: Mapping[str, float]
    future: Future


@dataclass
class _Session(Generic[R]):
    """One run of tasks: what is in the air, who is there, and what has come back."""

    client: Client
    engine: ClusterEngine
    workspace: Workspace
    topic: str = field(default_factory=lambda: f"wpci-{secrets.token_hex(8)}")
    ended: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    begun: dict[str, _Begun[R]] = field(default_factory=dict)
    workers: dict[str, _Worker] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    again: list[tuple[int, Task[R]]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    looked: float = 0.0

    def run(self, tasks: Iterable[Task[R]]) -> Generator[Done[R]]:
        packer = Packer(self.workspace, self.engine.store, self.topic)
        waiting = enumerate(tasks)
        self.client.subscribe_topic(self.topic, self._event)
        self._say_dashboard()
        try:
            self._await_workers()
            yield from self._all(waiting, packer)
        finally:
            self.over.set()
            self._cancel()

    def _say_dashboard(self) -> None:
        if self.client.run_on_scheduler(_has_pages):
            self.workspace.progress.note(f"dashboard: {self.client.dashboard_link}")

    def _all(self, waiting: Iterator[tuple[int, Task[R]]], packer: Packer) -> Iterator[Done[R]]:
        held: tuple[int, Task[R]] | None = None
        more = True
        while True:
            while more or held or self.again:
                if held is None:
                    held = self.again.pop(0) if self.again else next(waiting, None)
                if held is None:
                    more = False
                    break
                if (refusal := self._refusal(held[1])) is not None:
                    yield Done(held[1], refusal)
                elif not self._has_room(held[1]):
                    break
                elif fault := self._begin(*held, packer):
                    yield Done(held[1], fault)
                held = None
            if not self.begun:
                self._look()  # a worker that went is named, also where its job has ended elsewhere meanwhile
                return
            if done := self._next(packer):
                yield done

    # who is there

    def _await_workers(self) -> None:
        since = time.monotonic()
        self._look()
        if not self._fit():
            self.workspace.progress.note(f"waiting for a worker at {self.engine.address.scheduler}")
        while not self._fit():
            if time.monotonic() - since > _PATIENCE:
                raise InfraError(
                    f"no worker of this version came to {self.engine.address.scheduler} in {_PATIENCE:.0f} s"
                )
            time.sleep(_LOOK / 2)
            self._look()

    def _look(self) -> None:
        """See which workers are there; one of another version is refused, and that is said once."""
        self.looked = time.monotonic()
        info = self._answered(lambda: self.client.scheduler_info(n_workers=-1))
        there: dict[str, _Worker] = {}
        for address, known in info["workers"].items():
            offers = {
                name.removeprefix(f"{order.version()} "): amount
                for name, amount in known["resources"].items()
                if name.startswith(f"{order.version()} ")
            }
            if offers:
                there[address] = self.workers.get(address) or self._welcome(
                    _Worker(str(known["name"]), address, offers)
                )
            elif address not in self.refused:
                self.refused.add(address)
                self.workspace.progress.note(_refusal_words(str(known["name"]), known["resources"]))
        for address in self.workers.keys() - there.keys():
            self.workspace.progress.note(f"worker {self.workers[address].name} is gone")
        self.workers = there

    def _welcome(self, new: _Worker) -> _Worker:
        cores, memory = new.offers.get("cores", 0), new.offers.get("memory", 0)
        self.workspace.progress.note(f"worker {new.name}: {cores:.0f} cores, {memory / 2**30:.1f} GiB for guests")
        return new

    def _fit(self) -> list[_Worker]:
        return [worker for worker in self.workers.values() if not worker.aside]

    def _need(self, task: Task[R]) -> dict[str, float]:
        return offer.need(task.job, [worker.offers for worker in self._fit()])

    def _refusal(self, task: Task[R]) -> PipelineError | None:
        """Return why a task can run on no worker that is there."""
        if not self._fit():
            return None
        words = offer.lacking(self._need(task), [worker.offers for worker in self._fit()])
        return InfraError(words) if words else None

    def _has_room(self, task: Task[R]) -> bool:
        """Whether a worker has cores for it: what waits at a worker could not go to one that comes late."""
        cores = sum(worker.offers.get("cores", 0) for worker in self._fit())
        taken = sum(one.need["cores"] for one in self.begun.values())
        return bool(self._fit()) and (taken + self._need(task)["cores"] <= cores or not self.begun)

    # what runs

    def _begin(self, turn: int, task: Task[R], packer: Packer) -> PipelineError | None:
        """Send a task on its way; return the fault that kept it here."""
        try:
            with crash.contained(self.workspace.directory):
                ordered = packer.order(turn, task)
        except PipelineError as error:
            return error
        need, key = self._need(task), f"{self.topic}-{turn}-{secrets.token_hex(4)}"
        fit = self._fit()
        future = self._answered(
            lambda: self.client.submit(
                worker.run_order,
                ordered,
                key=key,
                resources={f"{order.version()} {name}": amount for name, amount in need.items()},
                workers=[one.address for one in fit] if len(fit) < len(self.workers) else None,
                priority=-turn,
                pure=False,
            )
        )
        self.begun[key] = _Begun(task, turn, need, future)
        future.add_done_callback(lambda done: self.ended.put(done.key))
        return None

    def _next(self, packer: Packer) -> Done[R] | None:
        """Wait for a task to end, but no longer than until the workers are to be looked at."""
        if time.monotonic() - self.looked > max(_LOOK, len(self.workers) * _LOOK_EACH):
            self._look()
        try:
            key = self.ended.get(timeout=_LOOK)
        except queue.Empty:
            return None
        ended = self.begun.pop(key)
        return self._taken(ended, packer)

    def _taken(self, ended: _Begun[R], packer: Packer) -> Done[R] | None:
        """Take the result of a task that has ended, once; None where it is to run again."""
        future, name = ended.future, ended.task.name
        if future.status == "cancelled" or future.status == "lost":
            raise self._lost()
        if future.status == "error":
            error = self._answered(future.exception)
            if isinstance(error, KilledWorker):
                return Done(
                    ended.task, InfraError(f"{name} lost {LOSSES} workers, the last is {error.last_worker.name}")
                )
            return Done(ended.task, crash.fault(error, self.workspace.directory))
        parcel: Parcel[R] = self._answered(future.result)
        future.release()
        if self._to_run_again(parcel, ended):
            self.again.append((ended.turn, ended.task))
            return None
        return Done(ended.task, self._opened(parcel, packer))

    def _to_run_again(self, parcel: Parcel[R], ended: _Begun[R]) -> bool:
        """Count faults of the host by worker; one that has too many is set aside, and its last job runs elsewhere."""
        known = next((one for one in self.workers.values() if one.name == parcel.worker), None)
        if known is None:
            return False
        known.failures = known.failures + 1 if _host_failed(parcel.outcome) else 0
        if known.failures < FAILURES or known.aside or len(self._fit()) == 1:
            return False
        known.aside = True
        self.workspace.progress.note(
            f"worker {known.name} is set aside: {FAILURES} jobs in a row ended as faults of the host"
        )
        return True

    def _opened(self, parcel: Parcel[R], packer: Packer) -> R | PipelineError:
        """Put the files of an attempt into the folder of the run, and let its result speak of them there."""
        directory, cache = self.workspace.directory, self.workspace.cache.root
        try:
            unpack_files(parcel.files, directory)
        except (tarfile.TarError, OSError) as error:
            return InfraError(f"what came back from {parcel.worker} is no archive: {error}")
        outcome = portable.shown(parcel.outcome, {"run": directory, "cache": cache})
        if isinstance(outcome, Fault):
            return outcome.error()
        return homecoming.at_home(outcome, packer.repositories, self.workspace, self.engine.store, parcel.host)

    # what is said, and the end

    def _event(self, event: tuple[float, Mapping[str, Any]]) -> None:
        _, message = event
        if self.over.is_set() or "order" not in message:
            return
        name, progress = message["order"], self.workspace.progress
        if message["what"] == "figure":
            progress.advance(f"{message['on']}: {name}: {message['text']}", message["done"], message["total"])
            return
        text = note_of(message)
        progress.note(type(text)(f"{message['on']}: {text}" if name in text else f"{message['on']}: {name}: {text}"))

    def _answered(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except (OSError, TimeoutError, RuntimeError) as error:
            raise self._lost() from error

    def _lost(self) -> InfraError:
        return InfraError(f"the scheduler {self.engine.address.scheduler} is gone: its jobs are lost")

    def _cancel(self) -> None:
        futures = [one.future for one in self.begun.values()]
        self.begun.clear()
        with contextlib.suppress(Exception):
            self.client.cancel(futures, force=True)


def _refusal_words(name: str, resources: Mapping[str, float]) -> str:
    theirs = next((full.rpartition(" ")[0] for full in resources if full.endswith(" cores")), "")
    what = f"runs wpci {theirs}" if theirs else "is no worker of wpci"
    return f"worker {name} {what}, and this is {order.version()}: it gets no job"


def _host_failed(outcome: object) -> bool:
    if isinstance(outcome, Fault):
        return outcome.exit_code == InfraError.exit_code
    return outcome is None or (isinstance(outcome, JobResult) and outcome.verdict is Verdict.INFRA)


def unpack_files(files: bytes, directory: Path) -> None:
    """Put the files of an attempt into the folder of a run; nothing of them lies outside."""
    if files:
        with tarfile.open(fileobj=io.BytesIO(files)) as archive:
            archive.extractall(directory, filter="data")
