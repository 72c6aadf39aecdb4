"""What a job has to tell: its stages as they end, the judgement of what there is, and the file that holds it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.errors import Cancelled, KernelError, PipelineError, UserError
from orchestrator.guest import console, protocol
from orchestrator.host import cache, crash, process
from orchestrator.host.process import sandbox
from orchestrator.kbuild import kconfig, symbolise
from orchestrator.model import (
    Identity,
    JobResult,
    Kernel,
    Products,
    Splat,
    Stage,
    StageResult,
    SuiteRun,
    Verdict,
    rundir,
)
from orchestrator.model.expectations import Expectations
from orchestrator.model.plan import Job
from orchestrator.parse import splat
from orchestrator.pipeline.context import Workspace
from orchestrator.report import result_json
from orchestrator.suite.guests import Guests
from orchestrator.verdict import expectations_file, expected_splats, verdict


class Stopped(Exception):
    """A stage failed and is recorded; the rest of the job does not run."""


@dataclass
class StageNote:
    """What a stage says of itself."""

    message: str = ""
    reused: bool = False


@dataclass
class JobRecord:
    """What a job has to tell so far; written to its folder after each stage, so that a killed run tells its story."""

    job: Job
    workspace: Workspace
    stages: list[StageResult] = field(default_factory=list)
    suites: list[SuiteRun] = field(default_factory=list)
    products: Products = field(default_factory=Products)
    guests: Guests | None = None
    notes: list[str] = field(default_factory=list)
    open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    scanned: dict[tuple[Path, int], tuple[Splat, ...]] = field(default_factory=dict)
    forged: dict[str, int] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """The folder of the job, in that of its run."""
        return self.workspace.job_directory(self.job.name)

    def left(self, until: Stage) -> Iterator[Stage]:
        """Yield the stages that have not run, up to ``until``; none where one has failed."""
        if all(result.verdict is Verdict.PASS for result in self.stages):
            yield from list(Stage)[len(self.stages) : list(Stage).index(until) + 1]

    @contextlib.contextmanager
    def stage(self, stage: Stage) -> Iterator[StageNote]:
        """Time one stage, and record how it went: what the block says of it, or the fault that ended it."""
        self.workspace.progress.note(f"{self.job.name}: {stage.value}")
        started = time.monotonic()
        note = StageNote()
        process.check_wanted()
        try:
            with crash.contained(self.directory):
                yield note
        except (UserError, Cancelled):
            raise
        except PipelineError as error:
            process.check_wanted()  # what was ended by us is nobody's fault
            blame = Verdict.FAIL if isinstance(error, KernelError) else Verdict.INFRA
            self._add(StageResult(stage, blame, time.monotonic() - started, str(error), error.log))
            raise Stopped from error
        self._add(StageResult(stage, Verdict.PASS, time.monotonic() - started, note.message, reused=note.reused))

    def _add(self, result: StageResult) -> None:
        self.stages.append(result)
        reused = " (from the cache)" if result.reused else ""
        self.workspace.progress.note(f"{self.job.name}: {result.stage.value}: {result.message}{reused}")
        self.save()

    def save(self) -> JobResult:
        """Judge what there is so far, and write it down."""
        result = self._judged()
        cache.write_atomic(self.directory / rundir.RESULT, result_json.dump(result))
        return result

    def _judged(self) -> JobResult:
        job, products = self.job, self.products
        titles = {p.name: p.expect_splat for _, suite in job.suites for p in suite.programs if p.expect_splat}
        splats = expected_splats.allowed(self._splats(), titles)
        suites = expected_splats.settled(self.suites, splats, titles)
        judged, reason = verdict.judge_job(self.stages, suites, splats, expected(job, products.kernel), job.expect)
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
            ),
            warnings=products.kernel.warnings if products.kernel else (),
            products=products,
            machine=job.variant_config.machine,
            requested=tuple(f"{name}/{glob}" for name, _ in job.suites for glob in job.tests),
        )

    def _splats(self) -> tuple[Splat, ...]:
        """Return what every guest that ran tests complained of; one that only proved an accelerator is not judged.

        A console only grows, and not any more once its guest is gone: then it is scanned once.
        """
        found: list[Splat] = []
        for path in rundir.consoles(self.directory):
            seen = (path, path.stat().st_size)
            if seen not in self.scanned:
                self.scanned[seen] = self._scan(path)
            found += self.scanned[seen]
        return tuple(found)

    def _scan(self, path: Path) -> tuple[Splat, ...]:
        workspace, kernel = self.workspace, self.products.kernel
        windows = protocol.Windows(protocol.rows(path))
        found = splat.scan(console.text(path), workspace.rules, workspace.pipeline.allow, workspace.today, windows)
        self.forged[path.parent.name] = windows.forged
        placed = (symbolise.symbolise(s, kernel.vmlinux) if kernel else s for s in found)
        return tuple(replace(s, console=path) for s in placed)


def expected(job: Job, kernel: Kernel | None = None) -> dict[str, Expectations]:
    """Return what the suites of a job promise, by suite: all of it, or what ``kernel`` has the symbols for."""
    found = {name: expectations_file.load(config.expected) for name, config in job.suites if config.expected}
    if kernel is None:
        return found
    values = kconfig.read(kernel.config.read_text())
    symbols = [symbol for symbol, value in values.items() if value != "n"]
    return {name: promised.on(symbols) for name, promised in found.items()}


def _identity(job: Job, products: Products) -> Identity | None:
    """Return what the result depends on, once all of it is known."""
    tree, built, made, fact = products.tree, products.kernel, products.rootfs, products.accel
    if not (tree and built and made and fact):
        return None
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
        rootfs=made.sha256,
        sandbox=sandbox.name(),
    )
