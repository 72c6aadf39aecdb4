"""A kernel tree as it stands: built, booted, entered. Nothing is judged, and no run is kept of what ended well."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import overrides
from orchestrator.config.overrides import Options
from orchestrator.config.schema import Pipeline
from orchestrator.errors import InfraError, PipelineError
from orchestrator.guest import console, machine
from orchestrator.host import scratch
from orchestrator.model import Kernel, Rootfs, rundir
from orchestrator.parse import splat
from orchestrator.pipeline import booting, opening, plan, reboot, values
from orchestrator.pipeline import job as jobs
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
        return jobs.make(record, jobs.built)


def boot(wanted: Standing, pipeline: Pipeline, results: Path, progress: Progress) -> str:
    """Boot the kernel of a tree up to where SSH answers, and end it; return its console."""
    with _record(wanted, pipeline, results, progress) as record, _guest(record) as (guest, _):
        guest.shutdown()
        return console.text(guest.console)


def shell(wanted: Standing, command: Sequence[str], pipeline: Pipeline, results: Path, progress: Progress) -> int:
    """Boot the kernel of a tree, and run a command in it, or a shell without one; return its exit code."""
    with _record(wanted, pipeline, results, progress) as record, _guest(record) as (guest, rootfs):
        return reboot.enter(guest, rootfs, command)


@contextlib.contextmanager
def _record(wanted: Standing, pipeline: Pipeline, results: Path, progress: Progress) -> Iterator[JobRecord]:
    """Give a job over the tree a folder that stays only where it fails."""
    options = Options(tree=str(wanted.tree), dirty=wanted.dirty)
    changed, mode = overrides.overlay(pipeline, pipeline.default_mode, options)
    variant = wanted.variant or changed.modes[mode].variants[0]
    choice = values.Choice(variants=(variant,), suites=wanted.suites)
    (job, *_) = plan.expand(changed, mode, choice).jobs
    with opening.cache_in_use(pipeline, progress) as used, _kept_if_it_fails(results) as folder:
        rules = splat.load_rules(pipeline.splat_rules)
        space = Workspace(changed, used, folder, progress, rules, datetime.date.today())
        yield JobRecord(job if wanted.suites else dataclasses.replace(job, suites=()), space)


@contextlib.contextmanager
def _kept_if_it_fails(results: Path) -> Iterator[Path]:
    with contextlib.ExitStack() as stack:
        try:
            results.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(scratch.kept_on(PipelineError, results.absolute()))
        except OSError as error:
            raise InfraError(f"cannot write {results}: {error.strerror}") from error
        yield folder


@contextlib.contextmanager
def _guest(record: JobRecord) -> Iterator[tuple[machine.Guest, Rootfs]]:
    """Boot a guest of a job for something else than its suites."""
    jobs.make(record, jobs.packed)
    bootable = jobs.bootable(record)
    limits = dataclasses.replace(booting.guest_limits(bootable.accel, record.workspace), silence=reboot.PATIENCE)
    with booting.boot(record, bootable, rundir.boot(1), limits, entered=True) as guest:
        yield guest, bootable.rootfs
