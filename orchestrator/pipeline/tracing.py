"""Which changed lines of a job's series run: what its guests are traced for, and what their traces come to.

No verdict changes by it, and where it fails the job says why (``no_coverage``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.arch import ARCHITECTURES
from orchestrator.coverage import gcov, windows
from orchestrator.coverage import measure as coverage
from orchestrator.coverage.gcov import Counted
from orchestrator.coverage.measure import Counting, Subject
from orchestrator.coverage.windows import Windows
from orchestrator.errors import InfraError, PipelineError
from orchestrator.guest.machine import Guest
from orchestrator.host import crash, disk, process
from orchestrator.host.process import Deadline
from orchestrator.model import Accel, Bootable, rundir
from orchestrator.model.coverage import LineCoverage
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.report import coverage_page
from orchestrator.suite.guests import Boot


def prepare(record: JobRecord, made: Bootable) -> None:
    """Say what the guests of a job are traced for; nothing where there is no series, or where it is not wanted."""
    job, ws, tree = record.job, record.workspace, record.products.tree
    if not (job.series and job.coverage and ws.pipeline.coverage and tree and tree.patches) or record.subject:
        return
    if made.accel.accel is not Accel.TCG and not made.kernel.notes:
        record.no_coverage = "under KVM only a kernel with GCOV_KERNEL shows which lines run; under TCG any does"
        return
    binary = ARCHITECTURES[job.variant_config.arch].qemu
    with _explained(record):
        if made.kernel.notes:
            record.subject = coverage.counting(tree, made.kernel.notes)
        else:
            record.subject = coverage.prepare(tree, made.kernel, binary, ws.cache, ws.progress)
    process.check_wanted()


@contextlib.contextmanager
def _explained(record: JobRecord) -> Iterator[None]:
    """Make any fault of the block the reason why it is not known what ran."""
    try:
        with crash.contained(record.directory):
            yield
    except PipelineError as error:
        record.no_coverage = str(error)


def counted(record: JobRecord, boot: Boot) -> Boot:
    """Return what boots a guest from which is taken, before it ends, what its kernel counted."""

    @contextlib.contextmanager
    def guest(name: str) -> Iterator[Guest]:
        with boot(name) as running:
            yield running
            _fetch(record, running, record.directory / name)

    return guest


def _fetch(record: JobRecord, guest: Guest, directory: Path) -> None:
    """Take what a kernel counted, where it did; a fault is a note of the job."""
    if not isinstance(record.subject, Counting) or not record.subject.objects or guest.death:
        return
    with record.noting(directory.name):
        gcov.fetch(guest, record.subject.objects, directory, Deadline.after(gcov.SECONDS))


def measure(record: JobRecord) -> None:
    """Read the traces of all guests of a job that have ended, and write down what is known of each changed line."""
    if record.subject is None:
        return
    with _explained(record):
        known, unread = _known(record, record.subject)
        record.coverage = coverage.counts(known, unread)
        disk.write_atomic(record.directory / rundir.COVERAGE, coverage.dump(known))
        disk.write_atomic(record.directory / rundir.COVERAGE_PAGE, coverage_page.render(known, record.job.name))


def _known(record: JobRecord, subject: Subject | Counting) -> tuple[LineCoverage, int]:
    """Return what is known of each line, and of how many guests it is not known what they ran."""
    consoles = rundir.consoles(record.directory)
    if isinstance(subject, Counting):
        seen = seen_by_guests(subject, consoles, record.notes)
        return coverage.counted(subject, seen), len(consoles) - len(seen) if subject.objects else 0
    return coverage.merged(subject, traced_in_guests(subject, (*consoles, *rundir.templates(record.directory)))), 0


def traced_in_guests(subject: Subject, consoles: Iterable[Path]) -> list[Windows]:
    """Return what each guest ran, by its console; InfraError where none ran anything, or a trace is damaged.

    A damaged one is no note: what ran in that guest alone would count as not run, and `wpci mutate` goes by it.
    """
    seen = [ran for path in consoles if (ran := windows.read(path))]
    if subject.trace and not seen:
        raise InfraError("no guest left a trace")
    return seen


def seen_by_guests(subject: Counting, consoles: Iterable[Path], notes: list[str]) -> list[Counted]:
    """Return what each guest ran, by its console. Counters that cannot be read are noted; InfraError where all are."""
    if not subject.objects:
        return []  # no changed line has code in this kernel
    seen: list[Counted] = []
    why = "no guest came to an end at which its counters could be taken"
    for path in (console.with_name(gcov.FILE) for console in consoles):
        if not path.exists():
            continue
        try:
            seen.append(coverage.read(subject, path))
        except InfraError as error:
            why = f"{path.parent.name}: {error}"
            notes.append(why)
    if not seen:
        raise InfraError(why)
    return seen
