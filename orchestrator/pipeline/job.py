"""One job: the order of its stages, and what each one asks of its room. ``record`` holds what came of it."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator import suite
from orchestrator.config.schema import Suite
from orchestrator.errors import KernelError, PipelineError
from orchestrator.guest import accel, machine
from orchestrator.guest.rootfs import rootfs
from orchestrator.host.process import Deadline
from orchestrator.kbuild import kernel, make, objects, own_programs, programs
from orchestrator.kbuild.configure import UnknownSymbols
from orchestrator.model import Accel, AccelFact, JobResult, Programs, Side, Stage, SuiteRun, TestResult, Tree, rundir
from orchestrator.model.expectations import NONE
from orchestrator.model.plan import Job
from orchestrator.parse import splat
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord, StageNote, Stopped
from orchestrator.series import apply, series
from orchestrator.suite.guests import Guests
from orchestrator.trees import checkout, fetch, kconfigs, repository
from orchestrator.verdict import outcome, verdict


def run(job: Job, workspace: Workspace, until: Stage = Stage.SUITE) -> JobResult:
    """Run the stages of a job up to ``until``, and judge what came of it.

    Faults of the host and of the kernel end the job and are in its result. Raises UserError only: then what was
    asked for is wrong, and nothing is to be judged.
    """
    return go_on(JobRecord(job, workspace), until)


def go_on(record: JobRecord, until: Stage = Stage.SUITE) -> JobResult:
    """Run the stages of a job that have not run yet, up to ``until``; none, where one has failed. Raises as ``run``."""
    ws = record.workspace
    with ws.cache.in_use(ws.progress), contextlib.suppress(Stopped), record.open:
        for stage in record.left(until):
            with record.stage(stage) as note:
                _STAGES[stage](record, note)
    return record.save()


def again(record: JobRecord, tests: Mapping[str, Sequence[str]]) -> JobResult:
    """Run tests of a job once more, by suite, in a new guest; every outcome is kept, and the job judged by all.

    A fault of the host changes nothing: it is a note, and the first outcomes stand.
    """
    fact = record.products.accel
    assert fact
    limits = guest_limits(fact, record.workspace)
    first = rundir.boots(record.directory) + 1
    try:
        with (
            record.workspace.cache.in_use(record.workspace.progress),
            Guests(lambda name: _booted(record, fact, name, limits), first) as guests,
        ):
            for name, config in record.job.suites:
                if name in tests:
                    _repeat(
                        record,
                        _request(record, name, config, f"{name}-{first}", _patterns(config, tests[name])),
                        guests,
                    )
    except PipelineError as error:
        record.notes.append(f"tests were not run again: {error}")
    return record.save()


def _repeat(record: JobRecord, request: suite.Request, guests: Guests) -> None:
    """Run one suite once more, and put what it says beside what it said before."""

    def done(repeated: SuiteRun) -> None:
        number = next(k for k, run in enumerate(record.suites) if run.suite == request.name)
        record.suites[number] = outcome.merged(record.suites[number], repeated)

    suite.run(request, guests.following, record.workspace.progress, done)


def _source(record: JobRecord, note: StageNote) -> None:
    job, ws = record.job, record.workspace
    deadline = Deadline.after(ws.pipeline.limits.fetch)
    tree = fetch(job.source, job.tree, ws.cache, ws.progress, deadline)
    for path in job.prerequisites:
        tree = apply.as_base(apply.apply(tree, series.load(path), ws.cache, ws.progress))
    record.products = replace(record.products, tree=tree)
    note.message = f"{tree.label}, commit {tree.commit[:12]}"


def _series(record: JobRecord, note: StageNote) -> None:
    job, ws, config = record.job, record.workspace, record.job.series_config
    if config is None:
        note.message = "none: the base alone"
        return
    assert record.products.tree
    loaded = series.load(config.path, name=job.series)
    tree = apply.apply(record.products.tree, loaded, ws.cache, ws.progress, three_way=config.three_way, upto=job.upto)
    applied = loaded.patches[: job.upto]
    for more in job.extra_series:
        carried = series.load(more.path)
        applied += carried.patches
        tree = apply.apply(tree, carried, ws.cache, ws.progress, three_way=more.three_way)
    tree = replace(tree, owner="" if config.trusted else loaded.digest)
    record.products = replace(record.products, tree=tree)
    _keep_patches(record, applied)
    note.message = f"{len(tree.patches)} patches, tip {tree.commit[:12]}"


def _keep_patches(record: JobRecord, patches: Sequence[series.Patch]) -> None:
    """Write what was applied beside the results: the series of tomorrow is another one."""
    for stale in (record.directory / rundir.PATCHES).glob("*"):
        stale.unlink()
    series.write(patches, record.directory / rundir.PATCHES)


def _build(record: JobRecord, note: StageNote) -> None:
    job, ws, tree = record.job, record.workspace, record.products.tree
    assert tree
    for name, config in job.suites:
        if config.kind == "program":
            _programs(record, name, config)  # what does not compile is said before a kernel is built for it
    request = _asked(job, tree, ws, job.variant, record.directory / "build.log")
    built = kernel.lookup(request, ws.cache)
    note.reused = built is not None
    if built is None:
        with checked_out(tree, job.tree, job.worktree, ws), _removed_symbols_named(job, tree):
            built = kernel.build(request, ws.cache, ws.progress, Deadline.after(ws.pipeline.limits.build))
    record.products = replace(record.products, kernel=built)
    note.message = f"{built.release}, build-id {built.build_id[:12]}, {len(built.warnings)} warnings"


@contextlib.contextmanager
def _removed_symbols_named(job: Job, tree: Tree) -> Iterator[None]:
    """Charge it to a series when Kconfig does not know a symbol that it knows without: the fragments are right."""
    try:
        yield
    except UnknownSymbols as error:
        if not (job.series and all(kconfigs.knows(tree, symbol) for symbol in error.symbols)):
            raise
        removed = ", ".join(error.symbols)
        raise KernelError(f"the series removes symbols that are asked for: {removed}", log=error.log) from error


@contextlib.contextmanager
def _removed_suite_named(config: Suite, tree: Tree) -> Iterator[None]:
    """Charge it to a series when its tree lacks a suite that the base has."""
    try:
        yield
    except programs.NoMakefile as error:
        makefile = f"{config.directory}/Makefile"
        if not repository.has(tree.repository, tree.base, makefile):
            raise
        raise KernelError(f"the series removes {makefile}, which a suite is built by") from error


def _asked(job: Job, tree: Tree, workspace: Workspace, folder: str, log: Path) -> kernel.BuildRequest:
    """Return what the build room is asked for: the tree of a job in its variant, in an output folder of that name."""
    source, variant = work_tree(job.tree, job.worktree, workspace), job.variant_config
    return kernel.BuildRequest(
        source=source,
        content=tree.content,
        out=kernel.out_folder(source, folder),
        base=variant.base,
        fragments=variant.fragments,
        arch=variant.arch,
        image=variant.image,
        log=log,
        owner=tree.owner,
    )


def is_built(job: Job, tree: Tree, workspace: Workspace) -> bool:
    """Whether the cache has the kernel of a job's tree, where that is known; make is not called."""
    request = _asked(job, tree, workspace, job.variant, workspace.directory / "build.log")
    return kernel.lookup(request, workspace.cache) is not None


def compile_objects(
    job: Job, tree: Tree, names: Sequence[str], flag: str, log: Path, workspace: Workspace
) -> objects.Diagnostics:
    """Compile single objects of a job's tree with a flag of make, beside its kernel; return what was said of them."""
    request = _asked(job, tree, workspace, f"{job.variant}-checks", log)
    deadline = Deadline.after(workspace.pipeline.limits.build)
    with checked_out(tree, job.tree, job.worktree, workspace):
        return objects.compile_objects(request, names, flag, workspace.cache, workspace.progress, deadline)


def work_tree(name: str, place: str, workspace: Workspace) -> Path:
    """Return where a tree is checked out: base and patched each have their own place, kept between runs."""
    return workspace.cache.path("work", name, place)


@contextlib.contextmanager
def checked_out(tree: Tree, name: str, place: str, workspace: Workspace) -> Iterator[Path]:
    """Check a tree out in its place, and hold it still against other runs inside the block."""
    where = work_tree(name, place, workspace)
    with workspace.cache.lock(f"work-{name}-{place}", workspace.progress):
        checkout.checkout(tree, where, workspace.progress)
        yield where


def _rootfs(record: JobRecord, note: StageNote) -> None:
    job, ws, built = record.job, record.workspace, record.products.kernel
    assert built
    made = rootfs.build(
        rootfs.RootfsSpec(
            directory=record.directory / "rootfs",
            programs=tuple(_programs(record, name, config) for name, config in job.suites),
            modules=built.modules,
            release=built.release,
            commands=tuple(_commands(job)),
        ),
        ws.cache,
        ws.progress,
    )
    record.products = replace(record.products, rootfs=made)
    note.message = f"{made.image.stat().st_size / 2**20:.1f} MB, {made.sha256[:12]}"


def _commands(job: Job) -> Iterator[tuple[str, str, str]]:
    """Yield how the programs of a job are called, for a guest that nobody enters."""
    for name, config in job.suites:
        if config.setup:
            yield name, ".setup", "\n".join(config.setup)
        for program in config.programs:
            yield name, program.name, suite.called(name, config, program)


def _programs(record: JobRecord, name: str, config: Suite) -> Programs:
    ws = record.workspace
    deadline = Deadline.after(ws.pipeline.limits.build)
    if config.kind == "own":
        return programs.build_own(name, config.directory, ws.cache, ws.progress, deadline)
    if config.kind == "program":
        return own_programs.build(name, config, _uapi(record, config), ws.cache, ws.progress, deadline)
    tree, tree_name, place = _suite_tree(record, config)
    with checked_out(tree, tree_name, place, ws) as source, _removed_suite_named(config, tree):
        out = ws.cache.path("work", tree_name, f"{place}-{name}")
        wanted = programs.TreeSuite(name, config, source, tree.content, out, owner=tree.owner)
        return programs.build_from_tree(wanted, ws.cache, ws.progress, deadline)


def _uapi(record: JobRecord, config: Suite) -> Path | None:
    """Return the uapi headers of the tree under test, where a program is compiled; equal ones are installed once."""
    job, ws, tree = record.job, record.workspace, record.products.tree
    if not own_programs.needs_headers(config):
        return None
    assert tree
    arch = job.variant_config.arch
    wanted = own_programs.Headers(repository.contents(tree, make.UAPI[arch]), arch, tree.owner)
    if there := own_programs.headers(wanted, ws.cache):
        return there
    deadline = Deadline.after(ws.pipeline.limits.build)
    with checked_out(tree, job.tree, job.worktree, ws) as source:
        out = ws.cache.path("work", job.tree, f"{job.worktree}-uapi")
        return own_programs.install_headers(wanted, source, out, ws.cache, ws.progress, deadline)


def _suite_tree(record: JobRecord, config: Suite) -> tuple[Tree, str, str]:
    """Return the tree that a suite is built from, and the name and place that say where it is checked out."""
    job, ws = record.job, record.workspace
    if config.tree is None:
        assert record.products.tree
        return record.products.tree, job.tree, job.worktree
    deadline = Deadline.after(ws.pipeline.limits.fetch)
    tree = fetch(ws.pipeline.trees[config.tree].source, config.tree, ws.cache, ws.progress, deadline)
    return tree, config.tree, Side.BASE.value


def _boot(record: JobRecord, note: StageNote) -> None:
    """Choose the accelerator, and bring up the guest in which the first suite begins."""
    fact = _accel(record)
    limits = guest_limits(fact, record.workspace)
    record.guests = record.open.enter_context(Guests(lambda name: _booted(record, fact, name, limits)))
    note.message = f"{fact.accel.value}, -cpu {fact.cpu}, QEMU {fact.qemu}"


@contextlib.contextmanager
def one_guest(record: JobRecord, limits: Callable[[AccelFact], machine.Limits]) -> Iterator[machine.Guest]:
    """Boot the guest of a job for something else than its suites. Raises as ``machine.boot``."""
    fact = _accel(record)
    with _booted(record, fact, "boot-1", limits(fact)) as guest:
        yield guest


def _accel(record: JobRecord) -> AccelFact:
    """Choose the accelerator of a job."""
    job, ws = record.job, record.workspace

    def probe(fact: AccelFact) -> None:
        with _booted(record, fact, f"probe-{fact.cpu}", accel.probe_limits(ws.pipeline.limits)):
            pass

    fact = accel.choose(job.variant_config.accel, job.variant_config.machine, probe, ws.cache, ws.progress)
    record.products = replace(record.products, accel=fact)
    return fact


def _suite(record: JobRecord, note: StageNote) -> None:
    job, fact, guests = record.job, record.products.accel, record.guests
    assert fact and guests
    for name, config in job.suites:
        if record.suites:
            record.save()  # the end of the stage does it for the last one
        request = _request(record, name, config, name, job.tests)
        suite.run(request, guests.following, record.workspace.progress, record.suites.append)
    note.message = f"{sum(len(run.tests) for run in record.suites)} tests in {guests.count} guests"


def _patterns(config: Suite, tests: Iterable[str]) -> tuple[str, ...]:
    """Return globs that name these tests; a case of a foreign program stands for the program."""
    programs = [program.name for program in config.programs]
    named = (next((name for name in programs if suite.matches(test, name)), test) for test in tests)
    return tuple(dict.fromkeys(glob.escape(name) for name in named))


def _request(record: JobRecord, name: str, config: Suite, folder: str, tests: tuple[str, ...]) -> suite.Request:
    fact, made = record.products.accel, record.products.rootfs
    assert fact and made
    return suite.Request(
        name=name,
        suite=config,
        tests=tests,
        directory=record.directory / folder,
        scale=scale(fact, record.workspace),
        repeat=record.job.repeat,
        programs=dict(made.programs).get(name, ()),
        alone=len(record.job.suites) == 1,
        trial=record.job.trial,
        enough=_enough(record.job, name),
    )


def _enough(job: Job, name: str) -> Callable[[TestResult], bool]:
    """Return what ends a trial: a test that shows something else than what is expected of it."""
    if job.trial is None or job.trial.every_test:
        return lambda test: False
    wanted, ignored = job.trial.expected.get(name, NONE), job.trial.ignored
    return lambda test: not suite.pick([test.name], ignored) and bool(verdict.unexpected(test, wanted, job.expect))


@contextlib.contextmanager
def _booted(record: JobRecord, fact: AccelFact, name: str, limits: machine.Limits) -> Iterator[machine.Guest]:
    """Boot a guest of the job, and check that it runs the kernel that was built."""
    built, made = record.products.kernel, record.products.rootfs
    assert built and made
    ws = record.workspace
    request = machine.BootRequest(
        kernel=built,
        rootfs=made,
        machine=record.job.variant_config.machine,
        accel=fact,
        directory=record.directory / name,
        limits=limits,
        is_fatal=splat.fatal_matcher(ws.rules),
    )
    with machine.boot(request, ws.progress) as guest:
        guest.verify(built)
        yield guest


def scale(fact: AccelFact, workspace: Workspace) -> float:
    """Return what limits are multiplied with: an emulated guest is slower."""
    return workspace.pipeline.limits.tcg_scale if fact.accel is Accel.TCG else 1.0


def guest_limits(fact: AccelFact, workspace: Workspace) -> machine.Limits:
    """Return the limits of a guest, for the accelerator it runs under."""
    limits, factor = workspace.pipeline.limits, scale(fact, workspace)
    return machine.Limits(limits.boot * factor, limits.shutdown * factor, limits.silence * factor)


_STAGES: dict[Stage, Callable[[JobRecord, StageNote], None]] = {
    Stage.SOURCE: _source,
    Stage.SERIES: _series,
    Stage.BUILD: _build,
    Stage.ROOTFS: _rootfs,
    Stage.BOOT: _boot,
    Stage.SUITE: _suite,
}
