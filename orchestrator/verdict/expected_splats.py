"""Programs that are meant to make the kernel complain: whether it did, and nothing else, is their outcome. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.model import Splat, Status, SuiteRun, TestResult

Titles = Mapping[str, str]
"""Program → the glob over titles that it is meant to bring."""


def allowed(splats: Sequence[Splat], titles: Titles) -> tuple[Splat, ...]:
    """Return the splats, those that a program was meant to bring allowed, also one that ended the guest."""
    return tuple(_allowed(splat) if _is_meant(splat, titles) else splat for splat in splats)


def _allowed(splat: Splat) -> Splat:
    return replace(splat, fatal=False, allowed_by=f"what {splat.test} is meant to bring")


def settled(runs: Sequence[SuiteRun], splats: Sequence[Splat], titles: Titles) -> tuple[SuiteRun, ...]:
    """Return the suites with the outcomes of these programs: PASS where the splat came, FAIL where it did not."""
    came = {splat.test: splat.title for splat in splats if _is_meant(splat, titles)}
    return tuple(
        replace(run, tests=tuple(_settled(test, came, titles) if test.name in titles else test for test in run.tests))
        for run in runs
    )


def _is_meant(splat: Splat, titles: Titles) -> bool:
    glob = titles.get(splat.test or "")
    return glob is not None and fnmatch.fnmatchcase(splat.title, glob)


def _settled(test: TestResult, came: Mapping[str | None, str], titles: Titles) -> TestResult:
    if title := came.get(test.name):
        return replace(test, status=Status.PASS, reason=f"brought {title}")
    if test.status in {Status.SKIP, Status.ERROR, Status.MISSING}:
        return test
    return replace(test, status=Status.FAIL, reason=f"did not bring {titles[test.name]!r} ({test.status.value})")
