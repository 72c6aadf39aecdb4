"""A kernel tree as it stands: built, booted, entered. Nothing is judged, and no run is kept of what ended well."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import overrides
from orchestrator.config.overrides import Options
from orchestrator.config.schema import Pipeline
from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.guest import console, machine
from orchestrator.model import AccelFact, Kernel, Stage, Verdict, plan
from orchestrator.parse import splat
from orchestrator.pipeline import job as jobs
from orchestrator.pipeline import opening, reboot
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.progress import Progress


@dataclass(frozen=True)
class Standing:
    """A tree as it stands, and the variant to build it in; None takes the first of the mode."""

    tree: Path
    variant: str | None = None
    suites: tuple[str, ...] = ()
    dirty: bool = False


def build(wanted: Standing, pipeline: Pipeline, results: Path, progress: Progress) -> Kernel:
    """Build the kernel of a tree, or take it from the cache. Raises as the stages of a job do."""
    with _record(wanted, pipeline, results, progress) as record:
        _went_well(record, Stage.BUILD)
        assert record.products.kernel
        return record.products.kernel


def boot(wanted: Standing, pipeline: Pipeline, results: Path, progress: Progress) -> str:
    """Boot the kernel of a tree up to where SSH answers, and end it; return its console."""
    with _record(wanted, pipeline, results, progress) as record, _guest(record) as guest:
        guest.shutdown()
        return console.text(guest.console)


def shell(wanted: Standing, command: Sequence[str], pipeline: Pipeline, results: Path, progress: Progress) -> int:
    """Boot the kernel of a tree, and run a command in it, or a shell without one; return its exit code."""
    with _record(wanted, pipeline, results, progress) as record, _guest(record) as guest:
        assert record.products.rootfs
        return reboot.enter(guest, record.products.rootfs, command)


@contextlib.contextmanager
def _record(wanted: Standing, pipeline: Pipeline, results: Path, progress: Progress) -> Iterator[JobRecord]:
    """Give a job over the tree a folder that stays only where it fails."""
    options = Options(tree=str(wanted.tree), dirty=wanted.dirty)
    changed, mode = overrides.overlay(pipeline, pipeline.default_mode, options)
    variant = wanted.variant or changed.modes[mode].variants[0]
    choice = plan.Choice(variants=(variant,), suites=wanted.suites)
    (job, *_) = plan.expand(changed, mode, choice).jobs
    with opening.cache_in_use(pipeline, progress) as used, _kept_if_it_fails(results) as folder:
        rules = splat.load_rules(pipeline.splat_rules)
        space = Workspace(changed, used, folder, progress, rules, datetime.date.today())
        yield JobRecord(job if wanted.suites else dataclasses.replace(job, suites=()), space)


@contextlib.contextmanager
def _kept_if_it_fails(results: Path) -> Iterator[Path]:
    try:
        results.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".standing-", dir=results.absolute()))
    except OSError as error:
        raise InfraError(f"cannot write {results}: {error.strerror}") from error
    try:
        yield folder
    except PipelineError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _went_well(record: JobRecord, until: Stage) -> None:
    """Run the stages of a job. Raises the fault of the one that failed."""
    failed = next((s for s in jobs.go_on(record, until).stages if s.verdict is not Verdict.PASS), None)
    if failed:
        fault = KernelError if failed.verdict is Verdict.FAIL else InfraError
        raise fault(f"{failed.stage.value}: {failed.message}", log=failed.log)


@contextlib.contextmanager
def _guest(record: JobRecord) -> Iterator[machine.Guest]:
    _went_well(record, Stage.ROOTFS)

    def limits(fact: AccelFact) -> machine.Limits:
        return dataclasses.replace(jobs.guest_limits(fact, record.workspace), silence=reboot.PATIENCE)

    with jobs.one_guest(record, limits) as guest:
        yield guest
