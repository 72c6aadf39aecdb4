"""What happens around a run: opening one, and going back into the guests of an earlier one."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator import adhoc, cache, process, prune, submission, suite, workspace
from orchestrator.adhoc import Options
from orchestrator.cache import Cache
from orchestrator.config import Pipeline
from orchestrator.errors import InfraError, KernelError, UserError
from orchestrator.guest import machine, qemu
from orchestrator.guest.machine import Guest
from orchestrator.model import JobResult, RunResult, Side, Verdict
from orchestrator.process import Deadline
from orchestrator.progress import Progress
from orchestrator.results import result_json, splat
from orchestrator.source import series as series_source
from orchestrator.submission import Submission
from orchestrator.workspace import Workspace

_PATIENCE = 86400.0
"""Seconds that a guest may take while a person looks at it."""


@contextlib.contextmanager
def open_run(
    pipeline: Pipeline, mode: str | None, options: Options, *, results: Path, progress: Progress
) -> Iterator[tuple[Workspace, str]]:
    """Give a new run its folder and the workspace that its jobs share, for the block in which they run; and its mode.

    Raises UserError for options that do not fit together, InfraError where the folder cannot be made; and see
    ``workspace.opened_run`` for what becomes of the folder when the block raises.
    """
    with _opened(pipeline, results, progress) as space:
        settled = _settled(options, space.directory, pipeline)
        changed, mode_name = adhoc.overlay(pipeline, mode or pipeline.default_mode, settled)
        yield dataclasses.replace(space, pipeline=changed), mode_name


@contextlib.contextmanager
def open_validation(
    pipeline: Pipeline, mode: str, options: Options, said: str | None, *, results: Path, progress: Progress
) -> Iterator[tuple[Workspace, Submission]]:
    """Give a new run its folder, and settle what is validated in it: the series, and the base it belongs on.

    ``said`` is the base that the user named. Raises as ``open_run`` and ``submission.settle``.
    """
    with _opened(pipeline, results, progress) as space:
        settled = submission.settle(space, mode, _settled(options, space.directory, pipeline), said)
        progress.note(f"{settled.name}: {len(settled.series.patches)} patches on {settled.base.name}")
        progress.note(f"base {settled.base.commit[:12]}, found by: {settled.base.how}")
        yield dataclasses.replace(space, pipeline=settled.pipeline), settled


@contextlib.contextmanager
def _opened(pipeline: Pipeline, results: Path, progress: Progress) -> Iterator[Workspace]:
    rules = splat.load_rules(pipeline.splat_rules)
    with cache_in_use(pipeline, progress) as used, workspace.opened_run(results) as directory:
        yield Workspace(pipeline, used, directory, progress, rules, datetime.date.today())


@contextlib.contextmanager
def cache_in_use(pipeline: Pipeline, progress: Progress) -> Iterator[Cache]:
    """Keep the cache as it is for a run, between its jobs as well; behind it, remove the kernels that are too many."""
    used = Cache.default()
    with used.in_use(progress):
        yield used
    try:
        said = prune.kernels(used, pipeline.limits.kernels)
    except InfraError as error:
        said = f"there are kernels to remove, later: {error}"
    if said:
        progress.note(said)


def workspace_in(pipeline: Pipeline, directory: Path, progress: Progress) -> Workspace:
    """Return the workspace of a run whose folder is there."""
    rules = splat.load_rules(pipeline.splat_rules)
    return Workspace(pipeline, Cache.default(), directory, progress, rules, datetime.date.today())


def _settled(options: Options, directory: Path, pipeline: Pipeline) -> Options:
    """Write a series that is no file yet (standard input, lore, a range of commits) into the folder of the run."""
    named = options.series
    if named == "-":
        path = directory / "stdin.mbox"
        cache.write_atomic(path, sys.stdin.buffer.read())
        _look_over(path, "standard input")
        return dataclasses.replace(options, series=str(path))
    if named is None or named in pipeline.series:
        return options
    if Path(named).exists():
        _look_over(Path(named), Path(named).stem)
        return options
    if ".." not in named:
        return options
    if options.tree is None or not Path(options.tree).is_dir():
        raise UserError(f"--series {named}: a range of commits needs --tree DIR, the repository it is in")
    loaded = series_source.load_range(Path(options.tree), named)
    path = directory / "range"
    series_source.write(loaded.patches, path)
    return dataclasses.replace(options, series=str(path), ref=loaded.base_commit)


def _look_over(series: Path, name: str) -> None:
    """Refuse what is no series now, and not after the job of the base. Raises UserError."""
    with contextlib.suppress(KernelError):  # a series that is one, and broken, is a finding of its stage
        series_source.load(series, name=name)


def find(results: Path, run: str, side: Side, job: str | None) -> JobResult:
    """Return a job of an earlier run, by the run's folder or name (``last``) and side. Raises UserError."""
    folder = Path(run) if Path(run, "jobs").is_dir() else results / run
    if not folder.is_dir():
        raise UserError(f"--run {run}: no such run in {results}")
    found = [result_json.load_job(path.read_text()) for path in sorted(folder.glob("jobs/*/result.json"))]
    fitting = [j for j in found if j.job == job] if job else [j for j in found if j.side is side]
    if not fitting:
        raise UserError(f"run {run}: no such job; there are {', '.join(j.job for j in found) or 'none'}")
    if len(fitting) > 1:
        raise UserError(f"run {run}: several jobs; name one with --job: {', '.join(j.job for j in fitting)}")
    return fitting[0]


def first_red(result: RunResult) -> JobResult | None:
    """Return the job that made a run red and got as far as a guest, if there is one."""
    red = [j for j in result.jobs if j.verdict is Verdict.FAIL and j.products.rootfs and j.products.accel]
    return max(red, key=lambda j: j.side is Side.PATCHED, default=None)


@contextlib.contextmanager
def _booted(job: JobResult, progress: Progress, gdb: bool = False) -> Iterator[Guest]:
    """Boot the guest of an earlier job again, in a folder that goes away with it."""
    kernel, rootfs, accel = job.products.kernel, job.products.rootfs, job.products.accel
    if not (kernel and rootfs and accel and job.machine):
        raise UserError(f"{job.job}: that run did not come as far as a guest")
    for path in (kernel.image, rootfs.image):
        if not path.exists():
            raise UserError(f"{job.job}: {path} is gone; run it again")
    rules = splat.load_rules(None)
    Cache.default().touch(kernel.image.parent)
    with Cache.default().in_use(progress), tempfile.TemporaryDirectory(prefix="wpci-") as scratch:
        request = machine.BootRequest(
            kernel=kernel,
            rootfs=rootfs,
            machine=job.machine,
            accel=accel,
            directory=Path(scratch) / "guest",
            limits=machine.Limits(_PATIENCE if gdb else 300.0, 30.0, _PATIENCE),
            is_fatal=splat.fatal_matcher(rules),
            debugger=qemu.Debugger() if gdb else None,
        )
        if gdb:
            progress.note(f"waiting for: gdb {kernel.vmlinux} -ex 'target remote :{qemu.Debugger().port}'")
        with machine.boot(request, progress) as guest:
            yield guest


def boot(job: JobResult, tests: tuple[str, ...], progress: Progress, *, gdb: bool = False) -> int:
    """Boot a kernel of an earlier run, print its console, then what the named tests say; return an exit code."""
    code, said = 0, []
    with _booted(job, progress, gdb) as guest:
        for run in job.suites if tests else ():
            for program, available in suite.listed(run.suite, guest, Deadline.after(_PATIENCE)).items():
                if picked := suite.pick(available, tests):
                    result = guest.run(_command(run.suite, program, picked), deadline=Deadline.after(_PATIENCE))
                    said.append(result.stdout)
                    code = max(code, 1 if result.exit_code is None else result.exit_code)
        console = guest.console.read_bytes().decode(errors="replace")
    print(console, *said, sep="\n")
    if tests and not said:
        raise UserError(f"no test of {job.job} matches {', '.join(tests)}")
    return code


def _command(name: str, program: str, tests: list[str]) -> str:
    return f"cd /tests/{name} && ./{program} -t 3600 " + " ".join(f"-r {shlex.quote(test)}" for test in tests)


def shell(job: JobResult, progress: Progress) -> int:
    """Boot a kernel of an earlier run and open an SSH session in it; return the exit code of ssh."""
    rootfs = job.products.rootfs
    with _booted(job, progress) as guest:
        assert rootfs
        progress.note(f"{job.job}: the tests are under /tests; the guest ends with this session")
        return process.interact(
            [
                "ssh", "-q", "-t", "-p", str(guest.port), "-i", str(rootfs.identity), "-o", "IdentitiesOnly=yes",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "root@127.0.0.1",
            ]
        )  # fmt: skip
