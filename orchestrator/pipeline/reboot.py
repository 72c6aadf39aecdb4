"""Going back into the guests of an earlier run."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator import arch, suite
from orchestrator.config.schema import Machine
from orchestrator.errors import InfraError, UserError
from orchestrator.guest import console, machine, qemu
from orchestrator.guest.machine import Guest
from orchestrator.host import process, scratch
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Bootable, JobResult, Rootfs, RunResult, Side, Verdict, rundir
from orchestrator.parse import splat
from orchestrator.progress import Progress
from orchestrator.report import result_json

PATIENCE = 86400.0
"""Seconds that a guest may take while a person looks at it."""
_SSH_FAILED = 255
_LAST_WORDS = 10.0
"""Seconds for a guest to show whether it is dead."""


def find(results: Path, run: str, side: Side, job: str | None) -> JobResult:
    """Return a job of an earlier run, by the run's folder or name (``last``) and side. Raises UserError."""
    jobs = [result_json.read_job(path) for path in rundir.job_results(rundir.find(results, run, rundir.JOBS))]
    fitting = [j for j in jobs if j.name == job] if job else [j for j in jobs if j.side is side]
    if not (fitting or job) and side is Side.PATCHED:
        fitting = jobs[:1] if len(jobs) == 1 else []  # nobody need say which side where there is one kernel
    if not fitting:
        raise UserError(f"run {run}: no such job; there are {', '.join(j.name for j in jobs) or 'none'}")
    if len(fitting) > 1:
        raise UserError(f"run {run}: several jobs; name one with --job: {', '.join(j.name for j in fitting)}")
    return fitting[0]


def first_red(result: RunResult) -> JobResult | None:
    """Return the job that made a run red and got as far as a guest, if there is one."""
    red = [j for j in result.jobs if j.verdict is Verdict.FAIL and j.products.bootable]
    return max(red, key=lambda j: j.side is Side.PATCHED, default=None)


def bootable(job: JobResult) -> tuple[Bootable, Machine]:
    """Return what an earlier job booted, and on what. Raises UserError where that never was, or is gone."""
    made = job.products.bootable
    if not (made and job.machine):
        raise UserError(f"{job.name}: that run did not come as far as a guest")
    refuse_gone(job, made.kernel.image, made.rootfs.image)
    return made, job.machine


def refuse_gone(job: JobResult, *paths: Path) -> None:
    """Raise UserError where a file that an earlier job made is gone."""
    for path in paths:
        if not path.exists():
            raise UserError(f"{job.name}: {path} is gone; run it again")


@contextlib.contextmanager
def booted(
    job: JobResult,
    progress: Progress,
    gdb: bool = False,
    extra: tuple[str, ...] = (),
    monitors: tuple[Path, ...] = (),
) -> Iterator[tuple[Guest, Rootfs]]:
    """Boot the guest of an earlier job again, in a folder that goes away with it.

    ``extra`` are more arguments for QEMU, ``monitors`` folders in which these make it listen.
    """
    made, machine_config = bootable(job)
    kernel, rootfs = made.kernel, made.rootfs
    rules = splat.load_rules(None)
    Cache.default().touch(kernel.image.parent)
    with Cache.default().in_use(progress), scratch.folder() as folder:
        request = machine.BootRequest(
            kernel=kernel,
            rootfs=rootfs,
            machine=machine_config,
            accel=made.accel,
            directory=folder / "guest",
            limits=machine.Limits(PATIENCE if gdb else 300.0, 30.0, PATIENCE),
            is_fatal=splat.fatal_matcher(rules),
            debugger=qemu.Debugger() if gdb else None,
            arch=arch.named(job.arch),
            extra=extra,
            monitors=monitors,
        )
        if gdb:
            progress.note(f"waiting for: gdb {kernel.vmlinux} -ex 'target remote :{qemu.Debugger().port}'")
        with machine.boot(request, progress) as guest:
            yield guest, rootfs


def boot(
    job: JobResult, tests: tuple[str, ...], progress: Progress, show: Callable[[str], None], *, gdb: bool = False
) -> int:
    """Boot a kernel of an earlier run, show its console, then what the named tests say; return an exit code."""
    code, outputs = 0, []
    with booted(job, progress, gdb) as (guest, _):
        for run in job.suites if tests else ():
            for program, available in suite.listed(run.suite, guest, Deadline.after(PATIENCE)).items():
                if picked := suite.pick(available, tests):
                    result = guest.run(_command(run.suite, program, picked), deadline=Deadline.after(PATIENCE))
                    outputs.append(result.stdout)
                    code = max(code, 1 if result.exit_code is None else result.exit_code)
        printed = console.text(guest.console)
    for text in (printed, *outputs):
        show(text)
    if tests and not outputs:
        raise UserError(f"no test of {job.name} matches {', '.join(tests)}")
    return code


def _command(name: str, program: str, tests: list[str]) -> str:
    return f"cd /tests/{name} && ./{program} -t 3600 " + " ".join(f"-r {shlex.quote(test)}" for test in tests)


def shell(job: JobResult, command: Sequence[str], progress: Progress) -> int:
    """Boot a kernel of an earlier run, and run a command in it, or a shell without one; return its exit code."""
    with booted(job, progress) as (guest, rootfs):
        progress.note(f"{job.name}: the tests are under /tests; the guest ends with this session")
        return enter(guest, rootfs, command)


def enter(guest: Guest, rootfs: Rootfs, command: Sequence[str]) -> int:
    """Run a command in a guest over SSH, or a shell without one; return its exit code.

    Standard input, output and error are those of this process. Raises KernelError where the guest died of it.
    """
    code = process.interact(
        [
            "ssh", "-q", *(() if command else ("-t",)), "-p", str(guest.port), "-i", str(rootfs.identity),
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "root@127.0.0.1", *([shlex.join(command)] if command else ()),
        ]
    )  # fmt: skip
    if code == _SSH_FAILED:
        with contextlib.suppress(InfraError):
            guest.run("true", deadline=Deadline.after(_LAST_WORDS))
        if guest.death and guest.death.kind.blames_kernel:
            raise guest.fault()
    return code
