"""Texts of others in results: bounded, whoever makes the value."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bisect import values as bisect
from orchestrator.bisect.gitbisect import Commit
from orchestrator.model import CheckResult, CompilerWarning, Rootfs, RunResult, Splat, SuiteRun, TestResult, bounds
from orchestrator.model.bounds import LINE, MANY, TEXT, Bounded
from orchestrator.model.coverage import LineCoverage
from orchestrator.model.words import Side, Status, Verdict
from orchestrator.mutation.report import Report
from orchestrator.report import result_json
from orchestrator.verdict import outcome
from tests.fakes import results

HUGE = "é" * 10**6


def values_of(kind: Any, seen: set[Any]) -> Iterator[type]:
    """Yield every dataclass that a value of this type may hold."""
    if kind in seen:
        return
    seen.add(kind)
    for inner in typing.get_args(kind):
        yield from values_of(inner, seen)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        yield kind
        for hint in result_json.hints(kind).values():
            yield from values_of(hint, seen)


def holds_text(kind: type) -> bool:
    hints = result_json.hints(kind)
    return any(str in leaves(hints[field.name]) for field in dataclasses.fields(kind))


def leaves(hint: Any) -> set[Any]:
    inner = [arg for arg in typing.get_args(hint) if arg is not Ellipsis]
    is_nested = typing.get_origin(hint) in {tuple, typing.Union, types.UnionType}
    return set().union(*map(leaves, inner)) if is_nested else {hint}


@pytest.mark.parametrize("root", [RunResult, bisect.Outcome, Report], ids=lambda kind: kind.__module__)
def test_every_value_of_a_result_that_holds_text_is_bounded(root: type) -> None:
    unbounded = [kind for kind in values_of(root, set()) if holds_text(kind) and not issubclass(kind, Bounded)]
    assert unbounded == []


def test_a_text_is_cut_and_says_so() -> None:
    found = TestResult(HUGE, Status.FAIL, HUGE, (HUGE, "short"))
    for text in (found.name, found.reason, found.diagnostics[0]):
        assert len(text) == LINE and text.endswith("…")
    assert found.diagnostics[1] == "short"
    assert dataclasses.replace(found, reason=HUGE + "x").reason == found.reason
    assert len(CompilerWarning(HUGE, HUGE).text) == LINE
    assert len(Commit("0" * 40, HUGE, HUGE).subject) == LINE


def test_a_list_of_texts_is_cut_and_says_how_many_more_there_were() -> None:
    found = CheckResult("x", "y", Verdict.FAIL, "z", 0.0, tuple(map(str, range(MANY + 9))))
    assert len(found.details) == MANY and found.details[-1] == "… and 10 more" and found.details[-2] == str(MANY - 2)


def test_what_the_program_goes_on_with_is_kept_whole_and_read_back(tmp_path: Path) -> None:
    names = tuple(f"t{number}" for number in range(MANY + 1))
    retried = tuple((name, (Status.FAIL,)) for name in names)
    run = SuiteRun("s", tuple(TestResult(name, Status.PASS) for name in names), (), 0.0, retried=retried, cut_off=names)
    assert run.retried == retried and run.cut_off == names and len(outcome.outcomes(run)) == len(names)
    requested, unexpected = tuple(f"s/{name}" for name in names), tuple(("s", name) for name in names)
    job = results.job(Side.BASE, run.tests, suites=(run,), requested=requested, unexpected=unexpected)
    assert (job.requested, job.unexpected) == (requested, unexpected)
    assert result_json.load_job(result_json.dump(job)) == job
    assert Rootfs(tmp_path, "", tmp_path, programs=(("s", names),)).programs[0][1] == names
    lines = LineCoverage(names, (), names)
    assert lines.tests == lines.by_program == names


def test_the_texts_of_a_long_list_of_records_are_cut_each() -> None:
    records = tuple((HUGE, "x") for _ in range(MANY + 1))
    short = bounds.kept(records, LINE)
    assert len(short) == len(records) and all(len(text) == LINE for text, _ in short)


def test_the_text_of_a_splat_may_be_longer_than_a_line() -> None:
    assert len(Splat("warning", "t", 1, 9, HUGE, False).text) == TEXT > 300 * 80


def test_what_is_short_and_what_is_no_text_is_left_alone() -> None:
    paths = (Path("a"),)
    assert bounds.kept(paths, LINE) is paths
    assert bounds.kept("a", LINE) == "a" and bounds.kept(None, LINE) is None
