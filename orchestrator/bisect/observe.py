"""What one job showed of the symptom that is chased. Pure.

Guilty until proven innocent holds in both directions: another failure than the symptom does not make a step bad, and a
kernel on which the symptom could not have shown itself is not good.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.bisect.symptom import Observation, Sight, Why
from orchestrator.model import JobResult, Stage, StageResult, Status, Symptom, SymptomKind, TestResult, Verdict
from orchestrator.model.outcomes import BUILDS
from orchestrator.text import wording
from orchestrator.verdict import complaints, outcome


def observations(symptom: Symptom, result: JobResult, repeat: int = 1) -> tuple[Observation, ...]:
    """Return what a job showed: one observation, or one for each of the runs that one guest made of a test."""
    if fault := _before_the_symptom(symptom, result):
        return (fault,)
    if symptom.kind is SymptomKind.TEST:
        return _test(symptom.name, result, repeat)
    return (
        {SymptomKind.BUILD: _build, SymptomKind.BOOT: _boot, SymptomKind.SPLAT: _splat}[symptom.kind](symptom, result),
    )


def names(symptom: Symptom, result: JobResult) -> bool:
    """Whether a symptom is a test, and a job has a result of that name."""
    return symptom.kind is SymptomKind.TEST and bool(_of_name(symptom.name, result))


def suites(symptom: Symptom, result: JobResult) -> tuple[str, ...]:
    """Return the suites of a job that have a result of the test that is chased."""
    each = (replace(result, suites=(run,)) for run in result.suites)
    return tuple(dict.fromkeys(one.suites[0].suite for one in each if names(symptom, one)))


_REACHED = {
    SymptomKind.BUILD: Stage.BUILD,
    SymptomKind.BOOT: Stage.BOOT,
    SymptomKind.SPLAT: Stage.SUITE,
    SymptomKind.TEST: Stage.SUITE,
}
"""The stage in which a symptom can be seen."""


_WHY = {
    Stage.SOURCE: Why.NO_SOURCE,
    Stage.SERIES: Why.NOT_APPLIED,
    Stage.BUILD: Why.NOT_BUILT,
    Stage.BOOT: Why.NOT_BOOTED,
}


def until(symptom: Symptom) -> Stage:
    """Return the last stage that is needed to see a symptom."""
    return _REACHED[symptom.kind]


def _before_the_symptom(symptom: Symptom, result: JobResult) -> Observation | None:
    """Return the fault that kept a job from the stage in which the symptom can be seen."""
    failed = result.failed_stage
    if failed is None or failed.stage is until(symptom):
        return None
    if symptom.kind is SymptomKind.SPLAT and failed.stage is Stage.BOOT:
        return None  # it may be on the console of a guest that never came up
    return _fault(failed)


def _build(symptom: Symptom, result: JobResult) -> Observation:
    failed = result.failed_stage
    if failed is None:
        return Observation(Sight.ABSENT, "builds")
    if failed.verdict is Verdict.INFRA:
        return Observation(Sight.INFRA, failed.message)
    gone = _NAME_GONE.search(failed.message)
    return Observation(Sight.SHOWN, wording.numberless(gone[0] if gone else failed.message))


_NAME_GONE = re.compile(
    r"error: (?:(?:implicit declaration of|call to undeclared) function|.*?no member named|unknown type name)"
    r" [‘'][^’']+[’']"
)
"""What a compiler says of a name that is gone: which file of those that use it comes first is chance.

What follows is its guess at what was meant, or its option.
"""


def _boot(symptom: Symptom, result: JobResult) -> Observation:
    failed, fatal = result.failed_stage, _fatal(result)
    if failed is None:
        return Observation(Sight.ABSENT, "boots")
    if fatal:
        return Observation(Sight.SHOWN, fatal[0])
    if failed.verdict is Verdict.INFRA:
        return Observation(Sight.INFRA, failed.message)
    return Observation(Sight.SHOWN, wording.numberless(failed.message.partition("; the last line is: ")[0]))


def _splat(symptom: Symptom, result: JobResult) -> Observation:
    titles = [title for splat in result.splats for title in (splat.title, *splat.other_titles)]
    if any(title == symptom.name or fnmatch.fnmatchcase(title, symptom.name) for title in titles):
        return Observation(Sight.SHOWN, symptom.name)
    if fatal := _fatal(result):
        return Observation(Sight.UNCLEAR, fatal[0], Why.OTHER)
    if failed := result.failed_stage:
        return _fault(failed)
    if ended := next((s.title for s in result.splats if _looks_for(complaints.ended_checker(s), symptom)), ""):
        return Observation(Sight.UNCLEAR, f"what looks for the symptom had ended: {ended}", Why.OTHER)
    return _quiet(result)


_TITLES = {
    "lockdep": ("lockdep", "suspicious RCU usage", "BUG: spinlock", "BUG: rwlock", "BUG: rtmutex"),
    "kmemleak": ("kmemleak",),
}
"""How the titles begin of what a checker that can end looks for."""


def _looks_for(checker: str | None, symptom: Symptom) -> bool:
    """Whether a checker looks for a symptom, or may: of a glob only what is before its first wildcard is known."""
    titles = _TITLES.get(checker or "", ())
    head = re.split(r"[*?\[]", symptom.name, maxsplit=1)[0]
    return symptom.name.startswith(titles) or (head != symptom.name and any(t.startswith(head) for t in titles))


def _quiet(result: JobResult) -> Observation:
    """Return what a clean console means: nothing, unless every test came to its end and one of them ran."""
    tests = [test for suite in result.suites for test in suite.tests]
    unfinished = {Status.CRASHED, Status.TIMEOUT, Status.MISSING, Status.ERROR}
    if bad := next((t for t in tests if t.status in unfinished), None):
        return Observation(Sight.UNCLEAR, f"{bad.name}: {bad.status.value}", Why.OTHER)
    if not tests:
        return Observation(Sight.UNCLEAR, "no test ran", Why.OTHER)
    if all(test.status is Status.SKIP for test in tests):
        how = f"all {len(tests)} tests were skipped: {tests[0].reason}"
        return Observation(Sight.REFUSED, how, Why.REFUSED)
    return Observation(Sight.ABSENT, f"{len(tests)} tests, no such splat")


def _fault(failed: StageResult) -> Observation:
    if failed.verdict is Verdict.INFRA:
        return Observation(Sight.INFRA, failed.message)
    return Observation(Sight.UNCLEAR, failed.message, _WHY.get(failed.stage, Why.OTHER))


def _test(name: str, result: JobResult, repeat: int) -> tuple[Observation, ...]:
    tests = _of_name(name, result)
    fatal = _fatal(result)
    failed = result.failed_stage
    if failed and failed.verdict is Verdict.INFRA and not fatal:
        return (Observation(Sight.INFRA, failed.message),)
    if not tests and (unbuilt := next(_unbuilt(name, result), None)):
        program = unbuilt.name.removesuffix(f".{BUILDS}")
        return (Observation(Sight.UNCLEAR, f"{program} does not build: {unbuilt.reason}", Why.NOT_BUILT),)
    tests = tests or [test for run in result.suites for test in outcome.skipped(run, [name]).values()]
    if not tests:
        return (Observation(Sight.UNCLEAR, failed.message if failed else f"{name} did not run", Why.OTHER),)
    return tuple(one for test in tests for one in _tries(test, fatal, repeat))


def _of_name(name: str, result: JobResult) -> list[TestResult]:
    """Return the results of a test; of a program that has cases, its worst one stands for it.

    What stands for a program that does not build has to be named: that is none of its cases. Nor is one of another
    program, whose name may begin with this one: ``uffd`` and ``uffd.sh``.
    """
    every = [test for suite in result.suites for test in suite.tests]
    unbuilt = list(_unbuilt(name, result))
    of_it = [
        test
        for suite in result.suites
        for test in suite.tests
        if test.name.startswith(f"{name}.") and not outcome.program_of(test.name, suite.programs).startswith(f"{name}.")
    ]
    cases = [test for test in of_it if test not in unbuilt]
    worst = sorted(cases, key=lambda test: (not test.status.broken, test.status is not Status.PASS))[:1]
    return [test for test in every if test.name == name] or worst


def _unbuilt(name: str, result: JobResult) -> Iterator[TestResult]:
    yield from filter(None, (outcome.unbuilt(suite, name) for suite in result.suites))


def _tries(test: TestResult, fatal: tuple[str, ...], repeat: int) -> list[Observation]:
    """Return each run of a test: ``ktap.h`` says of repeated runs how many did not pass, and in which way."""
    if not (ran := outcome.runs_of(test)):
        ran = (test.status,) * (repeat if test.status in {Status.PASS, Status.SKIP} else 1)
    return [_sight(status, test.reason, fatal) for status in ran]


def _sight(status: Status, reason: str, fatal: tuple[str, ...]) -> Observation:
    if status is Status.PASS:
        return Observation(Sight.ABSENT, "works")
    if status is Status.SKIP:
        return Observation(Sight.REFUSED, reason)
    if status in {Status.ERROR, Status.MISSING}:
        return Observation(Sight.UNCLEAR, f"{status.value}: {reason}", Why.OTHER)
    if status is Status.CRASHED:
        return Observation(Sight.SHOWN, f"crashed: {fatal[0]}" if fatal else "crashed")
    return Observation(Sight.SHOWN, "fail" if status is Status.XFAIL else status.value)


def _fatal(result: JobResult) -> tuple[str, ...]:
    return tuple(splat.title for splat in result.splats if splat.fatal)
