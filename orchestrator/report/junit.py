"""Results → JUnit XML, through junit-xml.

``render`` makes the document of a run, which is what a CI server reads: the checks; for each series its stages on both
kernels, the consoles, one case for each transition, and the verdict; for each job without a series the same of that
job alone.
What is charged is a ``failure``, what the infrastructure did an ``error``, what is reported and not charged ``skipped``
with its reason. The verdict is a case of its own, so the document is never greener than the run.

``render_job`` makes the document of one kernel by itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from junit_xml import TestCase, TestSuite, to_xml_report_string

from orchestrator.model import (
    CheckResult,
    JobResult,
    RunResult,
    SeriesResult,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Transition,
    Verdict,
    rundir,
)
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.report import groups, story
from orchestrator.text import plain
from orchestrator.verdict import outcome
from orchestrator.verdict.outcome import Outcome
from orchestrator.verdict.verdict import Expected

MOST_TEXT = 20_000
"""Characters of one output in the document; the files of the run have all of it."""


def render(run: RunResult) -> str:
    """Return the document of a run."""
    suites = [_checks(run.checks)] if run.checks else []
    suites += [suite for series in run.series for suite in _series(series)]
    suites += [suite for job in run.single_jobs for suite in _job(job, None, None)]
    notes = "\n".join(run.notes)
    suites.append(_suite("run", [_verdict("run", run.verdict, notes or f"exit code {run.exit_code}", notes)]))
    return _document(suites)


def render_job(job: JobResult, expected: Expected | None = None, column: str | None = None) -> str:
    """Return the document of one kernel. A failure that ``column`` expects is skipped, with that as its reason."""
    return _document(_job(job, expected, column))


def _document(suites: Iterable[TestSuite]) -> str:
    text: str = to_xml_report_string(list(suites))
    return text


def _checks(checks: Sequence[CheckResult]) -> TestSuite:
    """Return a case for each check; the findings of one that is green are in its output."""
    cases = []
    for check in checks:
        log = (f"log: {check.log}",) if check.log else ()
        out = "\n".join([check.message, *check.details, *log])
        case = _case(check.subject, f"checks.{check.name}", check.seconds, out)
        cases.append(_blame(case, check.verdict, check.message, out))
    return _suite("checks", cases)


def _series(series: SeriesResult) -> Iterator[TestSuite]:
    name = f"{series.tree}.{series.series}.{series.variant}"
    jobs = (series.base, series.patched)
    yield _suite(f"{name} stages", [case for job in jobs for case in _stages(name, job)])
    yield _suite(f"{name} console", [case for job in jobs for case in _console(name, job, series)])
    details = {run.suite: story.Details(series, run.suite) for job in jobs for run in job.suites}
    for suite in sorted(details):
        cases = [_transition(f"{name}.{suite}", t, details[suite]) for t in series.transitions if t.suite == suite]
        yield _suite(f"{name} {suite}", [*cases, *_pollution(f"{name}.{suite}", series.patched, suite)])
    yield _suite(f"{name} verdict", [_verdict(name, series.verdict, series.reason)])


def _job(job: JobResult, expected: Expected | None, column: str | None) -> Iterator[TestSuite]:
    name = job.name
    yield _suite(f"{name} stages", _stages(name, job))
    yield _suite(f"{name} console", _console(name, job, None))
    for run in job.suites:
        wants, every = (expected or {}).get(run.suite, NONE), outcome.outcomes(run)
        cases = [_test(job, run.suite, test, every[test.name], wants, column) for test in run.tests]
        cases += [*_problems(f"{name}.{run.suite}", run), *_pollution(f"{name}.{run.suite}", job, run.suite)]
        yield _suite(f"{name} {run.suite}", cases)
    yield _suite(f"{name} verdict", [_verdict(name, job.verdict, job.reason)])


def _suite(name: str, cases: Iterable[TestCase]) -> TestSuite:
    return TestSuite(_text(name), list(cases))


def _case(name: str, group: str, seconds: float | None = None, out: str = "") -> TestCase:
    """Return a case that passes. Dots in a class name make a tree of pages; slashes would break their addresses."""
    return TestCase(_text(name), _text(group).replace("/", "."), seconds, stdout=_text(out) or None)


def _text(text: str) -> str:
    """Return text that XML can hold. A message must not be empty: junit-xml would drop the failure with it."""
    cleaned = plain.printable(text)
    if len(cleaned) > MOST_TEXT:
        cleaned = f"{cleaned[: MOST_TEXT // 2]}\n[…]\n{cleaned[-MOST_TEXT // 2 :]}"
    return cleaned


def _blame(case: TestCase, verdict: Verdict, message: str, output: str = "") -> TestCase:
    """Put on a case what its verdict means."""
    message = _text(" ".join(message.split())) or verdict.value
    if verdict is Verdict.FAIL:
        case.add_failure_info(message, _text(output))
    elif verdict is Verdict.INFRA:
        case.add_error_info(message, _text(output))
    elif verdict is Verdict.SKIP:
        case.add_skipped_info(message, _text(output))
    return case


def _verdict(name: str, verdict: Verdict, reason: str, output: str = "") -> TestCase:
    return _blame(_case("verdict", name, out=reason), verdict, reason, output)


def _stages(name: str, job: JobResult) -> Iterator[TestCase]:
    for stage in job.stages:
        more = "\n".join([f"log: {stage.log}"] * bool(stage.log) + _dead(job, stage))
        out = "\n".join(filter(None, (stage.message, more)))
        case = _case(f"{job.side.value}: {stage.stage.value}", f"{name}.stages", stage.seconds, out)
        yield _blame(case, stage.verdict, stage.message or "failed", more)


def _dead(job: JobResult, stage: StageResult) -> list[str]:
    return [line for seen in job.outside_of_tests(stage) for line in seen.shown]


def _console(name: str, job: JobResult, series: SeriesResult | None) -> Iterator[TestCase]:
    """Yield one case for each title, or one that says that the console was read and is clean."""
    group, side = f"{name}.console", job.side.value
    charged = job.splats if series is None else series.new_splats if job is series.patched else ()
    if not job.splats:
        case = _case(f"{side}: no splat", group)
        booted = any(stage.stage is Stage.SUITE for stage in job.stages)
        yield case if booted else _blame(case, Verdict.SKIP, "no guest ran tests, so there was no console to judge")
    for title, alike in groups.by_title(job.splats).items():
        count = f" ({len(alike)} times)" if len(alike) > 1 else ""
        first = next((splat for splat in alike if splat in charged), alike[0])
        case = _case(f"{side}: {title}", group, out=f"during {first.test or 'no test'}{count}")
        if first.allowed_by and not first.fatal:
            yield _blame(case, Verdict.SKIP, f"allowed: {first.allowed_by}", first.text)
        elif first in charged:
            yield _blame(case, Verdict.FAIL, f"{title} during {first.test or 'no test'}{count}", first.text)
        else:
            why = "the base is not judged" if series and job is series.base else "the base shows it too"
            yield _blame(case, Verdict.SKIP, f"{why}{count}", first.text)


def _transition(group: str, change: Transition, details: story.Details) -> TestCase:
    stories = (details.base.of(change.test), details.patched.of(change.test))
    after = details.patched.tests.get(change.test)
    case = _case(change.test, group, after.seconds if after else None, "\n".join([change.words, *stories]))
    message = f"{change.words}: {change.note}" if change.note else change.words
    script = details.patched.job.directory / rundir.REPRODUCE
    again = f"reproduce: {shlex.quote(str(script))} {shlex.quote(change.test)}"  # people paste it into a shell
    return _blame(case, change.verdict, message, "\n".join([*stories, again]))


def _test(
    job: JobResult, suite: str, test: TestResult, shown: Outcome, wants: Expectations, column: str | None
) -> TestCase:
    """Return the case of a test by itself: the worst of its tries counts, as it does in the verdict of the job."""
    alone = story.alone(job, suite, test.name)
    case = _case(test.name, f"{job.name}.{suite}", test.seconds, story.of(test, shown.tries[:-1]) + alone)
    wanted, tries = wants.of(test.name, column), " → ".join(status.value for status in shown.tries)
    known = job.as_expected(suite, test.name)  # of all jobs, also where the expectations are not at hand
    as_expected = bool(wanted) and not shown.flaky if known is None else known
    if not wants.judged(test.name, column):
        return _blame(case, Verdict.SKIP, f"recorded, not judged: {test.status.value}")
    if wanted and (unlike := shown.unlike(wanted)):
        how = f": {tries}" if shown.flaky else ""
        return _blame(case, Verdict.FAIL, f"{unlike.value}, expected {wanted.value}{how}", test.reason)
    if as_expected and shown.status.broken:
        return _blame(case, Verdict.SKIP, f"{shown.status.value}, as expected: {wants.why(test.name) or test.reason}")
    if shown.flaky and shown.status.broken:
        return _blame(case, Verdict.FAIL, f"flaky: {tries}")
    if known is False and not shown.status.broken:
        return _blame(case, Verdict.FAIL, f"{shown.status.value}, not as expected", test.reason)
    message = shown.story if shown.flaky else f"{shown.status.value}: {test.reason}"
    return _blame(case, _VERDICTS.get(shown.status, Verdict.FAIL), message, case.stdout)


_VERDICTS = {
    Status.PASS: Verdict.PASS,
    Status.SKIP: Verdict.SKIP,
    Status.XFAIL: Verdict.SKIP,
    Status.ERROR: Verdict.INFRA,
    Status.MISSING: Verdict.INFRA,
}
"""How a status looks in JUnit, where ``error`` means that the test could not do its part. All others are failures."""


def _pollution(group: str, job: JobResult, suite: str) -> Iterator[TestCase]:
    """Yield a case for each test that is red only after others: a finding of its own."""
    for seen in job.alone:
        if seen.suite == suite and seen.polluted:
            yield _blame(_case(f"pollution: {seen.test}", group, out=seen.words), Verdict.FAIL, seen.words, seen.words)


def _problems(group: str, run: SuiteRun) -> Iterator[TestCase]:
    for problem in dict.fromkeys(run.problems):
        yield _blame(_case(f"output: {problem}", group), Verdict.FAIL, problem)
