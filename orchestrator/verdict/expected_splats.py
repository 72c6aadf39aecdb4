"""Programs that are meant to make the kernel complain: whether it did, and nothing else, is their outcome. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.model import Splat, Status, SuiteRun, TestResult
from orchestrator.verdict.outcome import program_of

Titles = Mapping[str, str]
"""Program → the glob over titles that it is meant to bring."""

_NOT_TRIED = (Status.ERROR, Status.MISSING, Status.SKIP)


def allowed(splats: Sequence[Splat], titles: Titles) -> tuple[Splat, ...]:
    """Return the splats, those that a program was meant to bring allowed, also one that ended the guest."""
    return tuple(_allowed(splat) if _is_meant(splat, titles) else splat for splat in splats)


def _allowed(splat: Splat) -> Splat:
    return replace(splat, fatal=False, allowed_by=f"what {splat.test} is meant to bring")


def settled(runs: Sequence[SuiteRun], splats: Sequence[Splat], titles: Titles) -> tuple[SuiteRun, ...]:
    """Return the suites with the outcomes of these programs: PASS where the splat came, FAIL where it did not.

    Of one that has cases they are no results of their own, but what it said.
    """
    meant = [splat for splat in splats if _is_meant(splat, titles)]
    done = []
    for run in runs:
        programs = {program_of(test.name, (*run.programs, *titles)) for test in run.tests}
        for program in sorted(programs & titles.keys()):
            run = _settled(run, program, titles[program], [splat for splat in meant if splat.test == program])
        done.append(run)
    return tuple(done)


def _is_meant(splat: Splat, titles: Titles) -> bool:
    glob = titles.get(splat.test or "")
    return glob is not None and fnmatch.fnmatchcase(splat.title, glob)


def _settled(run: SuiteRun, program: str, title: str, came: Sequence[Splat]) -> SuiteRun:
    """Return a suite with one outcome for each try of a program, by how many guests the splat came in.

    Each try has a guest of its own, and how the program ended in it says nothing.
    """
    names = {test.name for test in run.tests if program_of(test.name, (*run.programs, program)) == program}
    whole = _whole(program, [test for test in run.tests if test.name in names])
    earlier = max((tries for name, tries in run.retried if name in names), key=len, default=())
    tries = [status if status in _NOT_TRIED else Status.FAIL for status in (*earlier, whole.status)]
    for _ in {splat.console for splat in came}:
        without = next((status for status in (Status.FAIL, *_NOT_TRIED) if status in tries), None)
        if without:
            tries[tries.index(without)] = Status.PASS
    last = replace(whole, status=tries[-1], reason=_reason(whole, tries[-1], title, came))
    first = next(test.name for test in run.tests if test.name in names)
    retried = [(name, statuses) for name, statuses in run.retried if name not in names]
    return replace(
        run,
        tests=tuple(last if t.name == first else t for t in run.tests if t.name == first or t.name not in names),
        retried=tuple(sorted([*retried, *([(program, tuple(tries[:-1]))] if earlier else [])])),
        problems=tuple(p for p in run.problems if not (came and p.startswith(f"{program}: "))),
    )


def _reason(whole: TestResult, status: Status, title: str, came: Sequence[Splat]) -> str:
    if status is Status.PASS:
        return f"brought {came[0].title}"
    return f"did not bring {title!r} ({whole.status.value})" if status is Status.FAIL else whole.reason


def _whole(program: str, tests: Sequence[TestResult]) -> TestResult:
    """Return one result for a program: its own, else the worst of its cases; a skip where all are skipped."""
    cases = tuple(f"{test.name}: {test.status.value}" for test in tests if test.name != program)
    if own := next((test for test in tests if test.name == program), None):
        return replace(own, diagnostics=(*own.diagnostics, *cases))
    broken = next((test for test in tests if test.status.broken), None)
    worst = broken or next((test for test in tests if test.status is not Status.SKIP), tests[0])
    return replace(worst, name=program, diagnostics=cases)
