"""The guests of a job: which accelerator they run under, their limits, and that they run the kernel that was built."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.arch import ARCHITECTURES
from orchestrator.coverage.measure import Subject
from orchestrator.errors import KernelError, PipelineError
from orchestrator.guest import accel, cage, dial, machine, template, verify
from orchestrator.guest.template import Template
from orchestrator.host import crash, process
from orchestrator.model import Accel, AccelFact, Bootable, Kernel, Rootfs, rundir
from orchestrator.parse import splat
from orchestrator.pipeline import autopsy
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord

EVIDENCE = "clones"
"""The folder of a job for a guest that is cloned for evidence alone: its console is not judged."""


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
def boot(
    record: JobRecord, bootable: Bootable, name: str, limits: machine.Limits, entered: bool = False
) -> Iterator[machine.Guest]:
    """Boot a guest of the job, and check that it runs the kernel that was built. Raises as ``machine.boot``.

    One that is ``entered`` is so by others than us: through the network of this host.
    """
    request = _request(record, bootable, name, limits)
    with machine.boot(replace(request, sockets=None) if entered else request, record.workspace.progress) as guest:
        verify.same_kernel(guest, bootable.kernel)
        yield guest


def _request(record: JobRecord, bootable: Bootable, name: str, limits: machine.Limits) -> machine.BootRequest:
    arch, cache = ARCHITECTURES[record.job.variant_config.arch], record.workspace.cache
    return machine.BootRequest(
        kernel=bootable.kernel,
        rootfs=bootable.rootfs,
        machine=record.job.variant_config.machine,
        accel=bootable.accel,
        directory=record.directory / name,
        limits=limits,
        is_fatal=splat.fatal_matcher(record.workspace.rules),
        arch=arch,
        trace=record.subject.trace if isinstance(record.subject, Subject) else None,
        examine=autopsy.examiner(record, bootable.kernel, name),
        sockets=None if cage.obstacle(arch.qemu) else dial.program(cache),
    )


class Clones:
    """The clones of a job's guest. The template is made when the first is wanted, and goes with the job.

    Where there can be none, guests are booted, and a note of the job says why. A kernel that does not come up as the
    template of what is ``judged`` is at fault, as in any boot. From any thread.
    """

    def __init__(self, record: JobRecord, bootable: Bootable, *, judged: bool = False) -> None:
        self._record = record
        self._bootable = bootable
        self._judged = judged
        self._limits = guest_limits(bootable.accel, record.workspace)
        self._lock = threading.Lock()
        self._template: Template | None = None
        self._tried = False
        self._verified = False

    @contextlib.contextmanager
    def guest(self, name: str) -> Iterator[machine.Guest]:
        """Yield a clone, or else a guest that was booted; it ends with the block. Raises as ``machine.boot``."""
        saved = self._made()
        if saved is None:
            with boot(self._record, self._bootable, name, self._limits) as guest:
                yield guest
            return
        examine = autopsy.examiner(self._record, self._bootable.kernel, name)
        with template.clone(saved, self._record.directory / name, examine) as guest:
            if not self._verified:  # the others have the same memory; two at a time verify both, which is no harm
                verify.same_kernel(guest, self._bootable.kernel)
                self._verified = True
            yield guest

    def _made(self) -> Template | None:
        # Tests that run at a time ask together: the first makes the template, which takes a boot, and the others wait.
        with self._lock:
            if not self._tried:
                self._tried = True
                self._template = self._make()
            return self._template

    def _make(self) -> Template | None:
        record = self._record
        place = record.directory if self._judged else record.directory / EVIDENCE
        number = len(list(place.glob(f"{rundir.TEMPLATE}*"))) + 1  # the job may have had one before
        name = str((place / f"{rundir.TEMPLATE}{number}").relative_to(record.directory))
        request = _request(record, self._bootable, name, self._limits)
        try:
            with crash.contained(record.directory):
                return record.open.enter_context(template.made(request, record.workspace.progress))
        except PipelineError as error:
            process.check_wanted()
            if self._judged and isinstance(error, KernelError):
                raise
            record.notes.append(f"guests are booted, not cloned: {error}")
            return None


def scale(fact: AccelFact, workspace: Workspace) -> float:
    """Return what limits are multiplied with: an emulated guest is slower."""
    return workspace.pipeline.limits.tcg_scale if fact.accel is Accel.TCG else 1.0


def guest_limits(fact: AccelFact, workspace: Workspace) -> machine.Limits:
    """Return the limits of a guest, for the accelerator it runs under."""
    limits, factor = workspace.pipeline.limits, scale(fact, workspace)
    return machine.Limits(limits.boot * factor, limits.shutdown * factor, limits.silence * factor)
