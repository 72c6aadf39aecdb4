"""The record of a job: its stages as they end, the judgement of what there is, and the file that holds it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.arch import ARCHITECTURES
from orchestrator.coverage.measure import Counting, Subject
from orchestrator.errors import Cancelled, KernelError, PipelineError, UserError
from orchestrator.guest import cage, console, protocol
from orchestrator.host import cache, crash, disk, hardware, process
from orchestrator.kbuild import kconfig, symbolise
from orchestrator.model import (
    Accel,
    Identity,
    JobResult,
    Kernel,
    Products,
    Splat,
    Stage,
    StageResult,
    SuiteRun,
    TestResult,
    Verdict,
    rundir,
)
from orchestrator.model.alone import Alone
from orchestrator.model.coverage import Coverage
from orchestrator.model.expectations import Expectations
from orchestrator.model.postmortem import Postmortem
from orchestrator.parse import splat
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.progress import Beginning, JobDetail
from orchestrator.report import result_json
from orchestrator.verdict import complaints, expected_splats, verdict

T = TypeVar("T")


class Stopped(Exception):
    """A stage failed and is recorded; the rest of the job does not run."""

    def __init__(self, stage: StageResult) -> None:
        super().__init__(stage.message)
        self.stage = stage


@dataclass
class StageNote:
    """What a stage adds to its result while it runs."""

    message: str = ""
    reused: bool = False


@dataclass
class JobRecord:
    """What came of a job so far. It changes: each stage that ends adds its result, and what it made.

    Its file is written after each stage, so that the results of a killed run are there. One thread at a time works
    with a record. ``products`` is for the result alone: a stage gets what the earlier ones made from ``run``.
    ``looks`` is how often its guests were looked at, in vain as well.
    ``subject`` is what its guests are traced for, or what they count. ``red`` says of a test of a suite that nothing
    else need run.
    """

    job: Job
    workspace: Workspace
    stages: list[StageResult] = field(default_factory=list)
    suites: list[SuiteRun] = field(default_factory=list)
    products: Products = field(default_factory=Products)
    notes: list[str] = field(default_factory=list)
    alone: list[Alone] = field(default_factory=list)
    subject: Subject | Counting | None = None
    red: Callable[[str, TestResult], bool] | None = None
    coverage: Coverage | None = None
    no_coverage: str = ""
    postmortems: list[Postmortem] = field(default_factory=list)
    looks: int = 0
    open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    scanned: dict[tuple[Path, int], tuple[Splat, ...]] = field(default_factory=dict)
    forged: dict[str, int] = field(default_factory=dict)
    _made: dict[Stage, Any] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """The folder of the job, in that of its run."""
        return self.workspace.job_directory(self.job.name)

    @property
    def failed(self) -> StageResult | None:
        """The stage that did not pass, if any."""
        return next((result for result in self.stages if result.verdict is not Verdict.PASS), None)

    def run(self, stage: Stage, make: Callable[[StageNote], T]) -> T:
        """Return what a stage makes; it runs once. Raises Stopped where it fails, or any stage has failed before."""
        if stage not in self._made:
            if self.failed:  # also for whoever goes on with the record later: what follows has nothing to stand on
                raise Stopped(self.failed)
            with self._stage(stage) as note:
                made = make(note)
            self._made[stage] = made  # only behind the block: a stage that failed made nothing
        result: T = self._made[stage]
        return result

    @contextlib.contextmanager
    def ending_at(self, red: Callable[[str, TestResult], bool] | None) -> Iterator[None]:
        """End the suites of the block at the first test, of a suite, that ``red`` says this of; None: at none."""
        self.red = red
        try:
            yield
        finally:
            self.red = None  # what runs again, or alone, runs to its end

    @contextlib.contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Make any fault of the block a note that begins so: what is known of the job already stands, and stays."""
        try:
            with crash.contained(self.directory):
                yield
        except PipelineError as error:
            process.check_wanted()
            self.notes.append(f"{what}: {error}")

    @contextlib.contextmanager
    def _stage(self, stage: Stage) -> Iterator[StageNote]:
        """Time one stage, and record how it went: its note, or the fault that ended it."""
        self.workspace.progress.note(Beginning(f"{self.job.name}: {stage.value}"))
        started = time.monotonic()
        note = StageNote()
        process.check_wanted()
        with self._faults(stage, started):
            yield note
        self._add(StageResult(stage, Verdict.PASS, time.monotonic() - started, note.message, reused=note.reused))

    def require(self, stage: Stage, check: Callable[[], object]) -> None:
        """Fail a stage that is still to come, where the host lacks what it needs: nobody builds a kernel in vain.

        Raises Stopped.
        """
        if self.failed:
            raise Stopped(self.failed)
        with self._faults(stage, time.monotonic()):
            check()

    @contextlib.contextmanager
    def _faults(self, stage: Stage, started: float) -> Iterator[None]:
        """Record the fault that ends a stage. Raises Stopped in its place."""
        try:
            with crash.contained(self.directory):
                yield
        except (UserError, Cancelled):
            raise
        except PipelineError as error:
            process.check_wanted()  # what was ended by us is nobody's fault
            blame = Verdict.FAIL if isinstance(error, KernelError) else Verdict.INFRA
            failed = StageResult(stage, blame, time.monotonic() - started, str(error), error.log)
            self._add(failed)
            raise Stopped(failed) from error

    def fail_again(self, stage: Stage, error: KernelError) -> bool:
        """Let a stage that passed have failed, by what the kernel did as its tests ran again; False: it had failed."""
        number, result = next((k, result) for k, result in enumerate(self.stages) if result.stage is stage)
        if result.verdict is not Verdict.PASS:
            return False
        message = f"when tests ran again: {error}"
        self.stages[number] = replace(result, verdict=Verdict.FAIL, message=message, log=error.log)
        return True

    def _add(self, result: StageResult) -> None:
        self.stages.append(result)
        reused = " (from the cache)" if result.reused else ""
        self.workspace.progress.note(JobDetail(f"{self.job.name}: {result.stage.value}: {result.message}{reused}"))
        self.save()

    def save(self) -> JobResult:
        """Judge what there is so far, and write it down."""
        result = self._judged()
        disk.write_atomic(self.directory / rundir.RESULT, result_json.dump(result))
        return result

    def _judged(self) -> JobResult:
        job, products = self.job, self.products
        titles = {p.name: p.expect_splat for _, suite in job.suites for p in suite.programs if p.expect_splat}
        splats = expected_splats.allowed(self._splats(), titles)
        suites = expected_splats.settled(self.suites, splats, titles)
        promised = expected(job, products.kernel)
        judged, reason = verdict.judge_job(self.stages, suites, splats, promised, job.expect, products.tree)
        return JobResult(
            name=job.name,
            tree=job.tree,
            series=job.series,
            variant=job.variant,
            side=job.side,
            verdict=judged,
            reason=reason,
            stages=tuple(self.stages),
            suites=suites,
            splats=splats,
            directory=self.directory,
            identity=_identity(job, products),
            notes=(
                *self.notes,
                *(f"{boot}: {n} lines look like markers of ours, and are not" for boot, n in self.forged.items() if n),
                *(products.tree.notes if products.tree else ()),
                *splat.expired(splats, self.workspace.pipeline.allow, self.workspace.today),
                *(note for note in complaints.lockdep_ended(splats) if "LOCKDEP" in _symbols(products.kernel)),
            ),
            warnings=products.kernel.warnings if products.kernel else (),
            products=products,
            machine=job.variant_config.machine,
            alone=tuple(self.alone),
            postmortems=tuple(self.postmortems),
            requested=tuple(f"{name}/{glob}" for name, _ in job.suites for glob in job.tests),
            arch=job.variant_config.arch,
            coverage=self.coverage,
            no_coverage=self.no_coverage,
            unexpected=tuple(verdict.unexpected_tests(suites, promised, job.expect)),
        )

    def _splats(self) -> tuple[Splat, ...]:
        """Return what every guest that ran tests, or was cloned for them, complained of.

        One that only proved an accelerator, or was for evidence, is not judged.

        A console only grows, and not any more once its guest is gone: then it is scanned once.
        """
        splats: list[Splat] = []
        for path in (*rundir.consoles(self.directory), *rundir.templates(self.directory)):
            seen = (path, path.stat().st_size)
            if seen not in self.scanned:
                self.scanned[seen] = self._scan(path)
            splats += self.scanned[seen]
        return tuple(splats)

    def _scan(self, path: Path) -> tuple[Splat, ...]:
        workspace, kernel = self.workspace, self.products.kernel
        windows = protocol.Windows(protocol.rows(path))
        splats = splat.scan(console.text(path), workspace.rules, workspace.pipeline.allow, workspace.today, windows)
        self.forged[path.parent.name] = windows.forged
        placed = (symbolise.symbolise(s, kernel.vmlinux) if kernel else s for s in splats)
        return tuple(replace(s, console=path) for s in placed)


def expected(job: Job, kernel: Kernel | None = None) -> dict[str, Expectations]:
    """Return what the suites of a job promise, by suite: all of it, or what ``kernel`` has the symbols for."""
    expectations = {name: job.expected[name] for name, _ in job.suites if name in job.expected}
    if kernel is None:
        return expectations
    symbols = _symbols(kernel)
    return {name: promised.on(symbols) for name, promised in expectations.items()}


def _symbols(kernel: Kernel | None) -> list[str]:
    """Return the symbols that a kernel has, of none nothing."""
    values = kconfig.read(kernel.config.read_text()) if kernel else {}
    return [symbol for symbol, value in values.items() if value != "n"]


def _identity(job: Job, products: Products) -> Identity | None:
    """Return what the result depends on, once all of it is known."""
    tree, bootable = products.tree, products.bootable
    if not (tree and bootable):
        return None
    built, fact = bootable.kernel, bootable.accel
    box = job.variant_config.machine
    return Identity(
        tree=tree.content,
        series=job.series,
        config=cache.digest(built.config),
        toolchain=built.toolchain,
        kernel=built.sha256,
        accel=fact.accel.value,
        cpu=fact.cpu,
        qemu=fact.qemu,
        machine=f"{box.cpus} vCPU, {box.memory >> 20} MiB, {box.numa_nodes} nodes, {(box.swap or 0) >> 20} MiB swap",
        rootfs=bootable.rootfs.sha256,
        sandbox=cage.name(ARCHITECTURES[job.variant_config.arch].qemu),
        host=hardware.described() if fact.accel is Accel.KVM else "",
    )
