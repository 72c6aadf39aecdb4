"""Which changed lines of a job's series run: what its guests are traced for, and what their traces come to.

No verdict changes by it, and where it fails the job says why (``no_coverage``).
"""

from __future__ import annotations

from orchestrator.arch import ARCHITECTURES
from orchestrator.coverage import measure as coverage
from orchestrator.coverage import windows
from orchestrator.errors import PipelineError
from orchestrator.host import disk, process
from orchestrator.model import Accel, Bootable, rundir
from orchestrator.pipeline import booting
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.report import coverage_page

_FAULTS = (PipelineError, OSError, ValueError)


def prepare(record: JobRecord, made: Bootable) -> None:
    """Say what the guests of a job are traced for; nothing where there is no series, or where it is not wanted."""
    job, ws, tree = record.job, record.workspace, record.products.tree
    if not (job.series and job.coverage and ws.pipeline.coverage and tree and tree.patches) or record.subject:
        return
    if made.accel.accel is not Accel.TCG:
        record.no_coverage = "which lines run is seen under TCG alone (accel: tcg), and this ran under KVM"
        return
    binary = ARCHITECTURES[job.variant_config.arch].qemu
    try:
        record.subject = coverage.prepare(tree, made.kernel, binary, ws.cache, ws.progress)
    except _FAULTS as error:
        process.check_wanted()
        record.no_coverage = str(error)


def measure(record: JobRecord) -> None:
    """Read the traces of all guests of a job that have ended, and write down what is known of each changed line."""
    if record.subject is None:
        return
    try:
        templates = sorted(record.directory.glob(f"{booting.TEMPLATE}*/{rundir.CONSOLE}"))  # what their boot ran
        consoles = (*rundir.consoles(record.directory), *templates)
        guests = [seen for path in consoles if (seen := windows.read(path))]
        known = coverage.merged(record.subject, guests)
        record.coverage = coverage.counts(known)
        disk.write_atomic(record.directory / rundir.COVERAGE, coverage.dump(known))
        disk.write_atomic(record.directory / rundir.COVERAGE_PAGE, coverage_page.render(known, record.job.name))
    except _FAULTS as error:
        record.no_coverage = str(error)
