"""What the run of a mutant showed: whether a test or the kernel itself noticed. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.model import JobResult, Stage, StageResult, Status, TestResult, Verdict
from orchestrator.model.bounds import WHOLE, Bounded
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.mutation.report import NO_TEST, PROBLEM, SPLAT, Outcome
from orchestrator.text import wording
from orchestrator.verdict import verdict

_OF_LOAD = {"lockup", "rcu-stall", "hung-task"}
"""Kinds of splats of a kernel that did not come to run for long, whoever kept it from that."""


@dataclass(frozen=True)
class Finding(Bounded):
    """What a mutant showed. ``certain``: it died, complained or does not build; else tests differ."""

    outcome: Outcome
    by: tuple[str, ...] = field(metadata=WHOLE)
    detail: str
    certain: bool = True
    tests: int = 0
    doubtful: tuple[str, ...] = field(default=(), metadata=WHOLE)
    round: str = ""
    after: int = 0
    noticed: float = 0.0

    @property
    def failing(self) -> tuple[str, ...]:
        """The tests that noticed."""
        return tuple(name for name in self.by if not name.startswith(NO_TEST)) if self.tests else ()


def judge(
    result: JobResult, expected: Mapping[str, Expectations], column: str | None, ignored: Sequence[str]
) -> Finding | None:
    """Say whether a kernel was noticed to lack something; None where the host failed, for then nothing is known.

    What is wrong with a program, or with the end of a guest, notices it where nothing else does.
    """
    if failed := _failed(result.stages, Verdict.FAIL):
        return _of_stage(failed)
    titles = dict.fromkeys(f"{SPLAT}{s.title}" for s in result.splats if s.allowed_by is None)
    splats = tuple(title for title in titles if title not in ignored)
    fatal = any(splat.fatal for splat in result.splats)
    if _failed(result.stages, Verdict.INFRA) and not fatal:
        return None
    unexpected = tuple(_unexpected(result, expected, column, ignored))
    ran = [test for run in result.suites for test in run.tests]
    named = {name for name, _ in unexpected}
    doubtful = tuple(name for run in result.suites for name, _ in run.retried if name not in named)
    if splats or unexpected:
        by = (*(name for name, _ in unexpected), *splats)
        detail = unexpected[0][1] if unexpected else splats[0]
        return Finding(Outcome.KILLED, by, detail, bool(splats), len(ran), doubtful)
    known = set(map(wording.numberless, ignored))
    if wrong := tuple(name for name in problems(result) if wording.numberless(name) not in known):
        return Finding(Outcome.KILLED, wrong, wrong[0], False, len(ran), doubtful)
    if not ran or any(test.status is Status.MISSING for test in ran):
        return None
    return Finding(Outcome.SURVIVED, (), "", True, len(ran), doubtful)


def problems(result: JobResult) -> tuple[str, ...]:
    """Return what makes a run red though its tests pass, as it stands among those that noticed a mutant."""
    return tuple(dict.fromkeys(f"{PROBLEM}{problem}" for run in result.suites for problem in run.problems))


def of_load(result: JobResult, finding: Finding) -> tuple[str, ...]:
    """Return what a busy host may have done, of what noticed a kernel: a boot without an end, a stall, a problem."""
    failed = _failed(result.stages, Verdict.FAIL)
    if failed and failed.stage is Stage.BOOT and not any(splat.fatal for splat in result.splats):
        return (failed.stage.value,)
    stalls = [s for s in result.splats if s.kind in _OF_LOAD and not s.fatal and s.allowed_by is None]
    wrong = (name for name in finding.by if name.startswith(PROBLEM))
    return tuple(dict.fromkeys((*(f"{SPLAT}{s.title}" for s in stalls), *wrong))) if not failed else ()


def _failed(stages: Sequence[StageResult], blame: Verdict) -> StageResult | None:
    return next((stage for stage in stages if stage.verdict is blame), None)


def _of_stage(failed: StageResult) -> Finding:
    outcomes = {Stage.SERIES: Outcome.NOT_ALONE, Stage.BUILD: Outcome.NOT_BUILT}
    outcome = outcomes.get(failed.stage, Outcome.KILLED)
    by = (failed.stage.value,) if outcome is Outcome.KILLED else ()
    return Finding(outcome, by, failed.message)


def _unexpected(
    result: JobResult, expected: Mapping[str, Expectations], column: str | None, ignored: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the tests that differ from what is expected, and how. One that did not run says nothing."""
    for run in result.suites:
        wanted = expected.get(run.suite, NONE)
        for test in run.tests:
            counts = test.status is not Status.MISSING and not _ignored(test, ignored)
            if counts and (difference := verdict.unexpected(test, wanted, column)):
                yield test.name, difference


def _ignored(test: TestResult, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(test.name, glob) for glob in globs)
