"""The one line that a server shows of a validation."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.model import CheckResult, Verdict
from orchestrator.notify import news
from tests.fakes import results


def check(name: str, verdict: Verdict) -> CheckResult:
    return CheckResult(name, "s", verdict, f"{name} says {verdict.value}", 1.0)


FAULT = check("checkpatch", Verdict.INFRA)


def test_what_fails_stands_before_what_the_host_could_not_do() -> None:
    run = results.run(checks=(FAULT, check("compile", Verdict.FAIL)))
    assert news.summary(run) == "compile: s: compile says fail (and 1 more)"
    pair = replace(results.series(*results.pair()), verdict=Verdict.FAIL, reason="1 regression")
    assert news.summary(results.run(pair, checks=(FAULT,))) == "smoke: 1 regression (and 1 more)"


def test_a_fault_of_the_host_is_told_where_nothing_fails() -> None:
    pair = results.series(*results.pair())
    assert news.summary(results.run(checks=(FAULT,))) == "checkpatch: s: checkpatch says infra"
    unknown = replace(pair, verdict=Verdict.INFRA, reason="the base did not boot")
    assert news.summary(results.run(unknown, checks=(check("compile", Verdict.PASS),))) == (
        "smoke: the base did not boot"
    )


def test_what_is_green_says_what_was_seen() -> None:
    pair = replace(results.series(*results.pair()), verdict=Verdict.PASS, reason="2 works→works")
    checks = (check("compile", Verdict.PASS), check("sparse", Verdict.SKIP))
    assert news.summary(results.run(pair, checks=checks)) == "1 checks passed, 1 not run; 2 works→works"
