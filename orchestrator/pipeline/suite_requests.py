"""What a job asks of a suite: its tests, limits and expectations, for the guests that it has."""

from __future__ import annotations

import functools
import glob
from collections.abc import Callable, Iterable
from dataclasses import replace

from orchestrator import suite
from orchestrator.config.suites import MOST_GUESTS, Suite
from orchestrator.host import cores
from orchestrator.model import Bootable, TestResult
from orchestrator.model.expectations import NONE
from orchestrator.pipeline import booting, durations
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Job
from orchestrator.verdict import outcome, verdict


def timed(record: JobRecord, name: str) -> tuple[str, ...]:
    """Return what the time of a suite depends on: a base that refuses what a series offers is done with it at once."""
    fact = record.products.accel
    return name, record.job.variant, record.job.side.value, fact.accel.value if fact else ""


def windows(config: Suite, tests: Iterable[str]) -> tuple[str, ...]:
    """Return in whose window each of these tests runs: its own, or that of the foreign program that it is a case of."""
    programs = tuple(program.name for program in config.programs)
    return tuple(dict.fromkeys(outcome.named_program(test, programs) or test for test in tests))


def globs(config: Suite, tests: Iterable[str]) -> tuple[str, ...]:
    """Return globs that name these tests and no other."""
    return tuple(map(only, windows(config, tests)))


def only(name: str) -> str:
    """Return a glob for one name alone: as it is written, ``repro`` stands for ``repro_fork``, too."""
    return f"[{name[0]}]{glob.escape(name[1:])}" if name[0].isalnum() else glob.escape(name)


def exclusive_at_once(record: JobRecord) -> int:
    """Return how many guests of a job may run at once where each wants a core for each of its vCPUs."""
    machine = record.job.variant_config.machine
    return cores.clones(machine.memory, machine.cpus)


def request(
    record: JobRecord, bootable: Bootable, name: str, config: Suite, folder: str, tests: tuple[str, ...]
) -> suite.Request:
    """Return the request to run tests (globs) of a suite; ``folder`` is that of its outputs, in the job's."""
    return suite.Request(
        name=name,
        suite=config,
        tests=tests,
        directory=record.directory / folder,
        scale=booting.scale(bootable.accel, record.workspace),
        repeat=record.job.repeat,
        programs=dict(bootable.rootfs.programs).get(name, ()),
        at_once=cores.clones(record.job.variant_config.machine.memory) if record.job.isolate else 0,
        exclusive_at_once=exclusive_at_once(record),
        alone=len(record.job.suites) == 1,
        last=durations.load(record.workspace.cache, *timed(record, name)),
        trial=record.job.trial,
        enough=(lambda test: False) if record.job.trial and record.job.trial.every_test else _differs(record.job, name),
        differs=_differs(record.job, name),
        red=functools.partial(record.red, name) if record.red else None,
    )


def split(record: JobRecord, wanted: suite.Request) -> suite.Request:
    """Return a request over several guests, where its suite is to be split: so many at once as there are cores for.

    One that the first red ends is not split: no other part is to run beside that.
    """
    shards, machine = wanted.suite.shards, record.job.variant_config.machine
    if shards == 1 or wanted.at_once or wanted.stops_early or wanted.trial:
        return wanted
    most = shards if isinstance(shards, int) else MOST_GUESTS
    at_once = min(most, cores.clones(machine.memory))
    return replace(wanted, split=suite.Split(shards, at_once, min(at_once, wanted.exclusive_at_once)))


def _differs(job: Job, name: str) -> Callable[[TestResult], bool]:
    """Return what counts in a trial: a test that shows something else than what is expected of it."""
    if job.trial is None:
        return lambda test: False
    wanted, ignored = job.trial.expected.get(name, NONE), job.trial.ignored
    return lambda test: not suite.pick([test.name], ignored) and bool(verdict.unexpected(test, wanted, job.expect))
