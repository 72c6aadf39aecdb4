"""One job: its stages, each a function of its record that returns what the stage makes.

A stage calls for those before it, and each runs once; ``job_record`` holds what came of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TypeVar

from orchestrator import suite
from orchestrator.arch import ARCHITECTURES
from orchestrator.errors import InfraError, KernelError
from orchestrator.guest.machine import Guest
from orchestrator.guest.rootfs import rootfs
from orchestrator.host import packages
from orchestrator.host.process import Deadline
from orchestrator.model import Bootable, JobResult, Kernel, Rootfs, Stage, SuiteRun, Tree, Verdict, rundir
from orchestrator.pipeline import booting, building, durations, suite_programs, tracing
from orchestrator.pipeline import suite_requests as suites
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord, StageNote, Stopped
from orchestrator.pipeline.values import Job
from orchestrator.series import apply, prerequisites, series
from orchestrator.suite.guests import Guests
from orchestrator.trees import fetch

T = TypeVar("T")


@dataclass(frozen=True)
class Booted:
    """What the suites of a job run in: what its guests boot, and the guests, of which the first is up."""

    bootable: Bootable
    guests: Guests


def run(job: Job, workspace: Workspace, until: Stage = Stage.SUITE) -> JobResult:
    """Run the stages of a job up to ``until``, and judge what came of it.

    Faults of the host and of the kernel end the job and are in its result. Raises UserError only: then what was
    asked for is wrong, and nothing is to be judged.
    """
    return go_on(JobRecord(job, workspace), until)


def go_on(record: JobRecord, until: Stage = Stage.SUITE) -> JobResult:
    """Run the stages of a job that have not run yet, up to ``until``; none, where one has failed. Raises as ``run``."""
    with contextlib.suppress(Stopped), running(record):
        _STAGES[until](record)
    return record.save()


def make(record: JobRecord, stage: Callable[[JobRecord], T]) -> T:
    """Run a job up to a stage, and return what that makes. Raises the fault of the stage that failed, and UserError."""
    try:
        with running(record):
            return stage(record)
    except Stopped as stopped:
        failed = stopped.stage
        fault = KernelError if failed.verdict is Verdict.FAIL else InfraError
        raise fault(f"{failed.stage.value}: {failed.message}", log=failed.log) from stopped


@contextlib.contextmanager
def running(record: JobRecord) -> Iterator[None]:
    """Hold the cache while stages run; their guests end with the block."""
    with record.workspace.cache.in_use(record.workspace.progress), record.open:
        yield


def fetched(record: JobRecord) -> Tree:
    """Return the tree of a job, as its series finds it."""
    return record.run(Stage.SOURCE, lambda note: _source(record, note))


def _source(record: JobRecord, note: StageNote) -> Tree:
    tree = based(record.job, record.workspace)
    record.products = replace(record.products, tree=tree)
    note.message = f"{tree.label}, commit {tree.commit[:12]}"
    return tree


def based(job: Job, workspace: Workspace) -> Tree:
    """Return the tree of a job with the series that are part of it. Raises as ``fetch`` and ``apply.apply`` do."""
    deadline = Deadline.after(workspace.pipeline.limits.fetch)
    tree = fetch(job.source, job.tree, workspace.cache, workspace.progress, deadline)
    for number, each in enumerate(job.prerequisites):
        before = job.prerequisites[:number]
        tree = apply.as_base(apply.apply(tree, each, workspace.cache, workspace.progress, before=before))
    return tree


def patched(record: JobRecord) -> Tree:
    """Return the tree of a job with its series on it."""
    tree = fetched(record)
    return record.run(Stage.SERIES, lambda note: _series(record, tree, note))


def _series(record: JobRecord, tree: Tree, note: StageNote) -> Tree:
    job, ws, own = record.job, record.workspace, record.job.patches
    earlier = [patch for each in job.prerequisites for patch in each.patches]
    if own is None:
        _keep_patches(record, earlier)
        note.message = "none: the base alone"
        return tree
    before = job.prerequisites
    tree = apply.apply(tree, own.series, ws.cache, ws.progress, three_way=own.three_way, upto=job.upto, before=before)
    applied = own.series.patches[: job.upto]
    for more in job.extra_series:
        applied += more.series.patches
        before = (*before, own.series)
        tree = apply.apply(tree, more.series, ws.cache, ws.progress, three_way=more.three_way, before=before)
    tree = replace(tree, owner="" if own.trusted else own.series.digest)
    record.products = replace(record.products, tree=tree)
    _keep_patches(record, (*earlier, *applied))
    note.message = f"{len(tree.patches)} patches, tip {tree.commit[:12]}"
    return tree


def _keep_patches(record: JobRecord, patches: Sequence[series.Patch]) -> None:
    """Write what was applied to the source beside the results: the series of tomorrow is another one."""
    for stale in (record.directory / rundir.PATCHES).glob("*"):
        stale.unlink()
    series.write(patches, record.directory / rundir.PATCHES)


def built(record: JobRecord) -> Kernel:
    """Return the kernel of a job."""
    tree = patched(record)
    return record.run(Stage.BUILD, lambda note: _built(record, tree, note))


def _built(record: JobRecord, tree: Tree, note: StageNote) -> Kernel:
    with _excused(record, tree):
        return building.build(record, tree, note)


@contextlib.contextmanager
def _excused(record: JobRecord, tree: Tree) -> Iterator[None]:
    """Charge a kernel that does not come up to nobody, where its tree lacks what its series is made for."""
    try:
        yield
    except KernelError as error:
        if tree.lacking:
            raise prerequisites.fault(record.job.series or tree.label, tree.lacking, error) from error
        raise


def _check_host(record: JobRecord) -> None:
    """Stop a job, before its kernel is built, on a host that lacks what its guests are made from. Raises Stopped."""
    arch = ARCHITECTURES[record.job.variant_config.arch]
    record.require(Stage.ROOTFS, rootfs.check_host)
    record.require(Stage.BOOT, lambda: packages.check(arch.qemu))


def packed(record: JobRecord) -> Rootfs:
    """Return the initramfs of a job's guests."""
    _check_host(record)
    tree, kernel_built = patched(record), built(record)
    return record.run(Stage.ROOTFS, lambda note: _rootfs(record, tree, kernel_built, note))


def _rootfs(record: JobRecord, tree: Tree, kernel_built: Kernel, note: StageNote) -> Rootfs:
    job, ws = record.job, record.workspace
    with _excused(record, tree):
        programs = tuple(suite_programs.build(job, tree, name, config, ws) for name, config in job.suites)
    made = rootfs.build(
        rootfs.RootfsSpec(
            directory=record.directory / "rootfs",
            arch=ARCHITECTURES[job.variant_config.arch],
            programs=programs,
            modules=kernel_built.modules,
            release=kernel_built.release,
            commands=tuple(suite_programs.commands(job, programs)),
        ),
        ws.cache,
        ws.progress,
    )
    record.products = replace(record.products, rootfs=made)
    note.message = f"{made.image.stat().st_size / 2**20:.1f} MB, {made.sha256[:12]}"
    return made


def bootable(record: JobRecord) -> Bootable:
    """Return what the guests of a job boot; the accelerator is chosen now. It is no stage: a guest may follow it."""
    made = booting.choose_accel(record, built(record), packed(record))
    record.products = replace(record.products, accel=made.accel)
    return made


def booted(record: JobRecord) -> Booted:
    """Bring up the guest in which the first suite of a job begins."""
    packed(record)
    return record.run(Stage.BOOT, lambda note: _boot(record, note))


def _boot(record: JobRecord, note: StageNote) -> Booted:
    with _excused(record, patched(record)):
        made = bootable(record)
        note.message = f"{made.accel.accel.value}, -cpu {made.accel.cpu}, QEMU {made.accel.qemu}"
        tracing.prepare(record, made)
        return Booted(made, record.open.enter_context(new_guests(record, made, 1)))


def new_guests(record: JobRecord, bootable: Bootable, first: int) -> Guests:
    """Return the guests of a job: the first is booted, those that follow a lost one are clones."""
    limits = booting.guest_limits(bootable.accel, record.workspace)

    def boot(name: str) -> AbstractContextManager[Guest]:
        return booting.boot(record, bootable, name, limits)

    later = booting.Clones(record, bootable, judged=True).guest
    return Guests(tracing.counted(record, boot), tracing.counted(record, later), first)


def tested(record: JobRecord) -> Bootable:
    """Run the suites of a job; return what its guests have booted."""
    made = booted(record)
    record.run(Stage.SUITE, lambda note: _suite(record, made, note))
    return made.bootable


def _suite(record: JobRecord, made: Booted, note: StageNote) -> None:
    job, guests = record.job, made.guests
    try:
        for name, config in job.suites:
            if record.suites:
                record.save()  # the end of the stage does it for the last one
            request = suites.split(record, suites.request(record, made.bootable, name, config, name, job.tests))
            suite.run(request, guests.following, record.workspace.progress, lambda done: _ended(record, done))
            if red := record.suites[-1].stopped_at:
                record.notes.append(f"suite {name} ended at {red}, the first red: what had not run by then did not run")
                break
    finally:
        tracing.measure(record)
    note.message = f"{sum(len(run.tests) for run in record.suites)} tests in {guests.count} guests"


def _ended(record: JobRecord, done: SuiteRun) -> None:
    """Take what a suite said, and remember how long its tests took."""
    record.suites.append(done)
    durations.save(record.workspace.cache, done, *suites.timed(record, done.suite))


_STAGES: dict[Stage, Callable[[JobRecord], object]] = {
    Stage.SOURCE: fetched,
    Stage.SERIES: patched,
    Stage.BUILD: built,
    Stage.ROOTFS: packed,
    Stage.BOOT: booted,
    Stage.SUITE: tested,
}
