"""What travels to a worker, and what comes back: pure values, in which no path of either side stands."""

from __future__ import annotations

import datetime
import functools
import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Generic

from orchestrator.config.schema import Pipeline
from orchestrator.config.sources import BundleSource, Source
from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.engine import portable
from orchestrator.engine.portable import Token
from orchestrator.engine.task import R, Task, Work
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.host import packing, scratch
from orchestrator.host.cache import digest
from orchestrator.host.disk import new_directory
from orchestrator.host.process import Deadline
from orchestrator.host.store import Store
from orchestrator.kbuild import own_sources
from orchestrator.model import JobResult
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.trees import bundle, fetch

INPUTS = "inputs"
"""The kind of an object that holds a file or a folder of the submitter."""
_SOURCES = "sources"
_PACKAGE = Path(__file__).parents[1]
_CODE = (".py", ".yaml", ".sh", ".j2", ".c")


@functools.cache
def version() -> str:
    """Return the version of this program, and the digest of its code: what both sides of a job must share."""
    total = hashlib.sha256()
    for path in sorted(p for p in _PACKAGE.rglob("*") if p.suffix in _CODE):
        total.update(f"{path.relative_to(_PACKAGE)}\n".encode() + path.read_bytes())
    return f"{metadata.version('wpci')}+{total.hexdigest()[:8]}"


def resources(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return amounts as resources; their names hold the version, so that none of another version takes a job."""
    return {f"{version()} {name}": float(amount) for name, amount in amounts.items()}


def offered(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return what ``resources`` was given; nothing, where another version was."""
    head = f"{version()} "
    return {name.removeprefix(head): amount for name, amount in amounts.items() if name.startswith(head)}


@dataclass(frozen=True)
class Order(Generic[R]):
    """A task on its way: what to do, for which run, and where its inputs are."""

    run: str
    name: str
    turn: int
    work: Work[R]
    pipeline: Pipeline
    today: datetime.date
    store: Store
    topic: str


@dataclass(frozen=True)
class Fault:
    """What a task raised; the exit code says whose it is."""

    exit_code: int
    message: str
    log: Path | None = None

    @classmethod
    def of(cls, error: PipelineError) -> Fault:
        """Return the fault of an exception."""
        return cls(int(error.exit_code), str(error), error.log)

    def error(self) -> PipelineError:
        """Return the exception of a fault."""
        kinds: dict[int, type[PipelineError]] = {int(k.exit_code): k for k in (UserError, KernelError)}
        return kinds.get(self.exit_code, InfraError)(self.message, log=self.log)


@dataclass(frozen=True)
class Parcel(Generic[R]):
    """What came of one attempt at a task on a worker.

    ``files`` is an archive of the folder of the attempt, as it goes into that of the run.
    """

    attempt: str
    worker: str
    host: str
    outcome: R | Fault
    files: bytes


def results(outcome: object) -> tuple[JobResult, ...]:
    """Return the results of jobs that an outcome is, or holds."""
    parts = outcome if isinstance(outcome, tuple) else (outcome,)
    return tuple(part for part in parts if isinstance(part, JobResult))


@dataclass
class Packer:
    """Makes orders out of tasks: inputs and sources go into the store, each once."""

    workspace: Workspace
    store: Store
    topic: str
    _inputs: dict[Path, Path] = field(default_factory=dict)
    _sources: dict[str, BundleSource] = field(default_factory=dict)
    repositories: dict[str, Path] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def order(self, turn: int, task: Task[R]) -> Order[R]:
        """Return the order for a task. Raises PipelineError where a source cannot be had or the store fails."""
        return Order(
            run=self.workspace.directory.name,
            name=task.name,
            turn=turn,
            work=self._packed(task.work),
            pipeline=self._packed(self._pipeline(task.job)),
            today=self.workspace.today,
            store=self.store,
            topic=self.topic,
        )

    def _packed(self, value: Any) -> Any:
        def change(part: Any) -> Any:
            if isinstance(part, Job):
                return self._job(part)
            if isinstance(part, ProgramConfig):
                return self._program(part)
            if isinstance(part, Path) and part.is_absolute() and part.exists():
                return self._input(part)
            return part

        return portable.mapped(value, change)

    def _job(self, job: Job) -> Job:
        variant = job.variant_config
        if Path(variant.base).is_absolute():
            variant = variant.model_copy(update={"base": str(self._input(Path(variant.base)))})
        return replace(job, source=self._source(job.source, job.tree), variant_config=variant)

    def _pipeline(self, job: Job) -> Pipeline:
        """Return as much of the pipeline as the stages of a job read."""
        whole = self.workspace.pipeline
        named = {config.tree for _, config in job.suites if config.tree}
        trees = {
            name: tree.model_copy(update={"source": self._source(tree.source, name), "prerequisites": ()})
            for name, tree in whole.trees.items()
            if name in named
        }
        return Pipeline(
            trees=trees, variants={}, suites={}, modes={},
            splat_rules=whole.splat_rules, allow=whole.allow, limits=whole.limits, sandbox=whole.sandbox,
        )  # fmt: skip

    def _program(self, program: ProgramConfig) -> ProgramConfig:
        """Return a program whose C file takes along what it includes."""
        file = program.file
        if file is None or not own_sources.is_c(file):
            return program
        if file not in self._inputs:
            deadline = Deadline.after(self.workspace.pipeline.limits.build)
            sources = own_sources.of(Suite(kind="program", programs=(program,)), None, deadline)
            with scratch.folder() as folder:
                place = sources.copy(program, folder / "sources")
                self._inputs[file] = self._stored(folder / "sources") / place
        return program.model_copy(update={"file": self._inputs[file]})

    def _input(self, path: Path) -> Path:
        if path not in self._inputs:
            self._inputs[path] = self._stored(path)
        return self._inputs[path]

    def _stored(self, path: Path) -> Path:
        with scratch.folder() as folder:
            packed = folder / "packed"
            packing.pack(path, packed)
            key = digest(packed)
            if not self.store.has(INPUTS, key):
                self.store.put_file(INPUTS, key, packed)
        return Token("input", f"{key}/{path.name}").path

    def _source(self, source: Source, name: str) -> BundleSource:
        key = f"{name} {source.model_dump_json()}"
        if key not in self._sources:
            ws = self.workspace
            tree = fetch(source, name, ws.cache, ws.progress, Deadline.after(ws.pipeline.limits.fetch))
            if not self.store.has(_SOURCES, tree.commit):
                ws.progress.note(f"{tree.label} goes into the store {self.store.url}")
                with scratch.folder(ws.cache.path("scratch", "x").parent) as folder:
                    packed = folder / "tree.pack"
                    bundle.write(tree, packed)
                    self.store.put_file(_SOURCES, tree.commit, packed)
            path = Token("source", tree.commit).path
            self._sources[key] = bundle.source_of(tree, path)
            self.repositories[name] = tree.repository
        return self._sources[key]


def unpacked(order: Order[R], workspace: Workspace) -> Work[R]:
    """Return the work of an order with its inputs in the cache of this machine. Raises InfraError."""
    work: Work[R] = with_inputs(order.work, order.store, workspace)
    return work


def with_inputs(value: Any, store: Store, workspace: Workspace) -> Any:
    """Return a value whose inputs and sources are paths of this machine; what is missing comes out of the store."""

    def change(part: Any) -> Any:
        if isinstance(part, Job) and (token := Token.of(Path(part.variant_config.base))):
            base = str(_of_store(token, store, workspace))
            return replace(part, variant_config=part.variant_config.model_copy(update={"base": base}))
        if isinstance(part, Path) and (token := Token.of(part)):
            return _of_store(token, store, workspace)
        return part

    return portable.mapped(value, change)


def _of_store(token: Token, store: Store, workspace: Workspace) -> Path:
    key, _, name = token.rest.partition("/")
    kind = {"input": INPUTS, "source": _SOURCES}[token.place]
    place = workspace.cache.path("store", kind, key)
    with workspace.cache.lock(f"store-{kind}-{key}", workspace.progress):
        if not place.exists():
            whole = place.with_name(f".{key}.got")
            if not store.get_file(kind, key, whole):
                raise InfraError(
                    f"the store {store.url} has no {kind}/{key[:12]} on this machine: do all hosts share it?"
                )
            _kept(whole, place, kind)
        workspace.cache.touch(place)
    return place / name if name else place


def _kept(whole: Path, place: Path, kind: str) -> None:
    """Give what came out of the store its name in the cache."""
    if kind == _SOURCES:
        whole.replace(place)
        return
    with new_directory(place) as made, whole.open("rb") as archive:
        packing.unpack(archive, made)
    whole.unlink()
