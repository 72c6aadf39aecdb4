"""The guests of a job: which accelerator they run under, their limits, and that they run the kernel that was built."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from orchestrator.arch import ARCHITECTURES
from orchestrator.guest import accel, machine
from orchestrator.model import Accel, AccelFact, Bootable, Kernel, Rootfs
from orchestrator.parse import splat
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord


def choose_accel(record: JobRecord, kernel: Kernel, rootfs: Rootfs) -> Bootable:
    """Choose the accelerator of a job, which may boot a guest to see whether KVM works."""
    job, ws = record.job, record.workspace

    def probe(fact: AccelFact) -> None:
        with boot(record, Bootable(kernel, rootfs, fact), f"probe-{fact.cpu}", accel.probe_limits(ws.pipeline.limits)):
            pass

    host = accel.Host(binary=ARCHITECTURES[job.variant_config.arch].qemu)
    fact = accel.choose(job.variant_config.accel, job.variant_config.machine, probe, ws.cache, ws.progress, host)
    return Bootable(kernel, rootfs, fact)


@contextlib.contextmanager
def boot(record: JobRecord, bootable: Bootable, name: str, limits: machine.Limits) -> Iterator[machine.Guest]:
    """Boot a guest of the job, and check that it runs the kernel that was built. Raises as ``machine.boot``."""
    ws = record.workspace
    request = machine.BootRequest(
        kernel=bootable.kernel,
        rootfs=bootable.rootfs,
        machine=record.job.variant_config.machine,
        accel=bootable.accel,
        directory=record.directory / name,
        limits=limits,
        is_fatal=splat.fatal_matcher(ws.rules),
        arch=ARCHITECTURES[record.job.variant_config.arch],
    )
    with machine.boot(request, ws.progress) as guest:
        guest.verify(bootable.kernel)
        yield guest


def scale(fact: AccelFact, workspace: Workspace) -> float:
    """Return what limits are multiplied with: an emulated guest is slower."""
    return workspace.pipeline.limits.tcg_scale if fact.accel is Accel.TCG else 1.0


def guest_limits(fact: AccelFact, workspace: Workspace) -> machine.Limits:
    """Return the limits of a guest, for the accelerator it runs under."""
    limits, factor = workspace.pipeline.limits, scale(fact, workspace)
    return machine.Limits(limits.boot * factor, limits.shutdown * factor, limits.silence * factor)
