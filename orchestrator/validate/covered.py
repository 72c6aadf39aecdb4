"""Whether the tests reach what a series changes. Pure."""

from __future__ import annotations

import math

from orchestrator.model import CheckResult, JobResult, Verdict

NAME = "coverage"


def judge(patched: JobResult, at_least: float | None) -> CheckResult | None:
    """Judge how many changed lines with code ran; what did not is a remark where no least share is asked for.

    Where that is not known, for not all tests ran as well, a share that is asked for is no pass: INFRA. None where none
    is. What ran in no test is a remark.
    """
    coverage = patched.coverage
    if coverage is None:
        if not at_least:
            return None
        why = patched.no_coverage or "nothing was measured"
        message = f"{at_least:g} % are wanted, and what ran is not known: {why}"
        return CheckResult(NAME, patched.variant, Verdict.INFRA, message, 0.0)
    if not coverage.code:
        return CheckResult(NAME, patched.variant, Verdict.SKIP, "no changed line has code in this configuration", 0.0)
    red = at_least is not None and coverage.percent < at_least
    share = f": {math.floor(10 * coverage.percent) / 10:g} %, and {at_least:g} % are wanted" if red else ""
    judged = Verdict.PASS
    if red:  # tests that did not run, and guests of which it is not known, may run what is missing
        judged = Verdict.FAIL if patched.is_whole and not coverage.unread else Verdict.INFRA
    details = (*coverage.missed, *(f"{line} (ran, and in no test)" for line in coverage.untested))
    return CheckResult(NAME, patched.variant, judged, f"{patched.coverage_words}{share}", 0.0, details)
