"""One attempt at an order, on a worker: a folder of its own, a result that holds all that came of it."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import secrets
import shutil
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.engine import order as orders
from orchestrator.engine import portable
from orchestrator.engine.order import Fault, Order, Parcel
from orchestrator.engine.slots import Slots
from orchestrator.engine.task import Place, R
from orchestrator.errors import Cancelled, InfraError, PipelineError
from orchestrator.host import crash, process, prune, scratch
from orchestrator.host.cache import Cache
from orchestrator.host.disk import remove_tree, write_atomic
from orchestrator.model import JobResult, Verdict, rundir
from orchestrator.parse import splat
from orchestrator.pipeline import opening
from orchestrator.pipeline.context import Workspace
from orchestrator.progress import Beginning, Detail, HostFact, JobDetail, Minor
from orchestrator.text.wording import some

_KINDS: dict[str, type[str]] = {kind.__name__: kind for kind in (Beginning, Minor, JobDetail, Detail, HostFact, str)}
_BETWEEN = 1.0
"""Seconds between two figures of one name that are sent."""
_MOST_FILES = 2**28
"""Bytes of files that come back from an attempt, packed; of what is more the result has a note."""

Send = Callable[[Mapping[str, Any]], None]
"""Hands an event to whoever looks on."""


@dataclass
class WorkerState:
    """What the attempts of one worker share: its slots, and the groups by which they are ended, by key."""

    name: str
    slots: Slots
    cache: Cache
    groups: dict[str, process.ChildGroup] = field(default_factory=dict)
    ended_early: set[str] = field(default_factory=set)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def end(self, key: str) -> None:
        """End the guests and builds of what is not wanted any more, also of what is only about to begin."""
        with self.guard:
            group = self.groups.get(key)
            if group is None:
                self.ended_early.add(key)
        if group:
            group.cut()

    def end_all(self) -> None:
        """End everything: this worker goes."""
        self.slots.close()
        for key in list(self.groups):
            self.end(key)

    @contextlib.contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Hold what the block starts, for ``end``."""
        group = process.ChildGroup()
        with self.guard:
            self.groups[key] = group
            is_over = key in self.ended_early
            self.ended_early.discard(key)
        if is_over:
            group.cut()
        process.use_group(group)
        try:
            yield
        finally:
            process.use_group(process.ChildGroup())  # what follows in this thread is wanted, whatever became of the job
            with self.guard:
                if self.groups.get(key) is group:
                    del self.groups[key]


@dataclass
class Events:
    """Progress that is sent on, with the attempt that it is of."""

    send: Send
    order: str
    attempt: str
    worker: str
    _sent: dict[str, float] = field(default_factory=dict)
    _count: int = 0

    def note(self, text: str) -> None:
        """Send a line."""
        kind = next(name for name, kind in _KINDS.items() if isinstance(text, kind))
        self._event(what="note", kind=kind, text=str(text))

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Send a figure, but not more often than anybody can see."""
        now = time.monotonic()
        if done != total and now - self._sent.get(what, -_BETWEEN) < _BETWEEN:
            return
        self._sent[what] = now
        self._event(what="figure", text=what, done=done, total=total, left=left)

    def _event(self, **event: Any) -> None:
        self._count += 1
        head = {"order": self.order, "attempt": self.attempt, "on": self.worker, "number": self._count}
        with contextlib.suppress(Exception):  # who looks on may be gone; the work is not his
            self.send({**head, **event})


def note_of(event: Mapping[str, Any]) -> str:
    """Return the line of an event, of the kind that it had."""
    return _KINDS.get(str(event.get("kind")), str)(event.get("text", ""))


def perform(order: Order[R], key: str, state: WorkerState, send: Send) -> Parcel[R]:
    """Do what an order says; whatever happens comes back as a value, for a task that raises may never return."""
    attempt = f"{state.name}-{secrets.token_hex(4)}"
    directory = state.cache.root / "attempts" / order.run / attempt
    events = Events(send, order.name, attempt, state.name)
    try:
        with _made(directory, state.cache):
            with state.holding(key):
                outcome = _outcome(order, directory, events, state)
            return _parcel(attempt, outcome, directory, state)
    except PipelineError as error:
        fault = Fault.of(error)
    except BaseException as error:
        fault = Fault.of(InfraError(f"unexpected {type(error).__name__} on {state.name}: {error}"))
    finally:
        with contextlib.suppress(Exception):
            shutil.rmtree(directory, ignore_errors=True)  # what that leaves, for its modes, the next does not
            remove_tree(directory)
            prune.kernels(state.cache, order.pipeline.limits.kernels)
    return Parcel(attempt, state.name, socket.gethostname(), fault, b"")


@contextlib.contextmanager
def _made(directory: Path, cache: Cache) -> Iterator[None]:
    """Make the folder of an attempt and hold it; it has its name only when it is held. Raises InfraError."""
    cache.path(*directory.relative_to(cache.root).parts)
    new = directory.with_name(f".{directory.name}")
    try:
        new.mkdir()
    except OSError as error:
        raise InfraError(f"cannot make {new}: {error.strerror}") from error
    with scratch.held(new):
        new.rename(directory)
        yield


def _outcome(order: Order[R], directory: Path, events: Events, state: WorkerState) -> R | Fault:
    try:
        with crash.contained(directory):
            opening.look_for_cage(order.pipeline.sandbox, events)
            workspace = _workspace(order, directory, events, state)
            work = orders.unpacked(order, workspace)
            return work(Place(workspace, state.slots, order.turn))
    except PipelineError as error:
        return Fault.of(error)
    except Cancelled:
        return Fault.of(InfraError(f"{order.name} was ended on {state.name}"))


@functools.lru_cache(maxsize=8)
def _rules(path: Path | None) -> splat.Rules:
    """Return splat rules, read once: a file of them lies under the digest of its content, and takes half a second."""
    return splat.load_rules(path)


def _workspace(order: Order[R], directory: Path, events: Events, state: WorkerState) -> Workspace:
    bare = Workspace(order.pipeline, state.cache, directory, events, _rules(None), order.today, order.store)
    pipeline = orders.with_inputs(order.pipeline, order.store, bare)
    return replace(bare, pipeline=pipeline, rules=_rules(pipeline.splat_rules))


def _parcel(attempt: str, outcome: R | Fault, directory: Path, state: WorkerState) -> Parcel[R]:
    for done in orders.results(outcome):
        _keep_config(done)
        if done.verdict is not Verdict.FAIL:
            shutil.rmtree(done.directory / "rootfs", ignore_errors=True)
    files, left = _packed(directory)
    if left:
        outcome = _noted(outcome, f"too large to be sent from {state.name}, and gone: {some(left)}")
    places = {"run": directory, "cache": state.cache.root}
    return Parcel(attempt, state.name, socket.gethostname(), portable.hidden(outcome, places), files)


def _noted(outcome: R | Fault, note: str) -> R | Fault:
    """Return what came of an attempt with a note in the result of each of its jobs."""
    return portable.mapped(
        outcome, lambda part: replace(part, notes=(*part.notes, note)) if isinstance(part, JobResult) else part
    )


def _keep_config(done: JobResult) -> None:
    """Put the .config of a kernel beside the results of its job: the cache of this machine stays here."""
    kernel = done.products.kernel
    if kernel and kernel.config.exists():
        write_atomic(done.directory / rundir.CONFIG, kernel.config.read_bytes())


def _packed(directory: Path) -> tuple[bytes, list[str]]:
    """Return the folder of an attempt as an archive, and the names of the largest files, for which it has no room."""
    buffer, left = io.BytesIO(), []
    files = [path for path in directory.rglob("*") if path.is_file() or path.is_symlink()]
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for path in sorted(files, key=lambda path: (path.lstat().st_size, path)):
            name = str(path.relative_to(directory))
            if buffer.tell() > _MOST_FILES:
                left.append(name)
            else:
                archive.add(path, name, recursive=False)
    return buffer.getvalue(), left


def worker_name() -> str:
    """Return how a worker is called: its host, and its process."""
    return f"{socket.gethostname()}-{os.getpid()}"


def sweep(cache: Cache) -> None:
    """Remove what workers of this host left that were killed: what nobody holds, be it of this process id or not."""
    for folder in cache.path("attempts", "x").parent.glob(f"*/{socket.gethostname()}-*"):
        if not scratch.is_held(folder):
            remove_tree(folder)
