"""The script that boots the kernel of a job and runs its tests with nothing but a shell and QEMU."""

from __future__ import annotations

import functools
import re
import shlex

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from orchestrator import arch
from orchestrator.guest import qemu
from orchestrator.guest.rootfs import rootfs
from orchestrator.model import JobResult, RunResult
from orchestrator.verdict import charged

_TEST = re.compile(r"[A-Za-z0-9._-]{1,120}")
"""Names that fit into a kernel's command line, and mean nothing to a shell."""
_MOST_TESTS = 8
_EVERY = "*"


def script(run: RunResult, job: JobResult, name: str) -> str | None:
    """Return the script for the files where the run left them; None where a job has not come so far as a guest."""
    bootable = job.products.bootable
    if bootable is None:
        return None
    return _rendered(run, job, name, shlex.quote(str(bootable.kernel.image)), shlex.quote(str(bootable.rootfs.image)))


def beside(run: RunResult, job: JobResult, name: str, kernel: str, initrd: str) -> str:
    """Return the script for files of these names in its own folder."""
    return _rendered(run, job, name, f'"$here"/{shlex.quote(kernel)}', f'"$here"/{shlex.quote(initrd)}')


def _rendered(run: RunResult, job: JobResult, name: str, kernel: str, initrd: str) -> str:
    machine, accel = job.machine, job.products.accel
    if machine is None or accel is None:
        raise ValueError(f"{job.name} has no guest")
    row = arch.named(job.arch)
    return _template().render(
        name=name,
        default=default(run, job),
        kernel=kernel,
        initrd=initrd,
        accel=shlex.quote(accel.accel.value),
        cpu=shlex.quote(accel.cpu),
        qemu=shlex.join([row.qemu, *qemu.unattended(machine, row)]),
        cmdline=shlex.quote(qemu.cmdline(machine, row)),
        init=rootfs.UNATTENDED,
    )


def default(run: RunResult, job: JobResult) -> str:
    """Return the tests that run where nobody names any: those that were red, else all of them."""
    usable = [test.name for test in charged.of_job(run, job.name) if _TEST.fullmatch(test.name)]
    return ",".join(usable[:_MOST_TESTS]) or _EVERY


@functools.cache
def _template() -> Template:
    loader = PackageLoader("orchestrator.pipeline", "templates")
    # a shell script: each value is quoted for the shell where it is made
    environment = Environment(loader=loader, autoescape=False, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.get_template("run.sh.j2")
