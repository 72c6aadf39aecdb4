"""Several runs of a program → one result a test, which says how many runs went which way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from orchestrator.model import Status, TestResult
from orchestrator.parse.runs import WORDS
from orchestrator.verdict import cases, outcome


def together(runs: Sequence[Sequence[TestResult]]) -> list[TestResult]:
    """Return one result for each test of these runs: the first that is worst, with how many of each there were.

    Where texts tell what came of a case, one that is broken has the text of its worst run, as that run alone would.
    """
    alike = [cases.named_as(run, runs[0]) for run in runs]
    texts = _texts(runs, alike)
    same = _with_cases(alike)
    names = dict.fromkeys(test.name for run in same for test in run)
    results = [_one([test for run in same for test in run if test.name == name]) for name in names]
    own = [replace(test, name=texts.get((test.name, test.status), test.name)) for test in results]
    return own if len({test.name for test in own}) == len(own) else results


def _texts(
    runs: Sequence[Sequence[TestResult]], alike: Sequence[Sequence[TestResult]]
) -> dict[tuple[str, Status], str]:
    """Return what the first run in which a case broke in one way calls it, by its name in all runs."""
    texts: dict[tuple[str, Status], str] = {}
    for run, named in zip(runs, alike, strict=True):
        for test, like in zip(run, named, strict=True):
            if test.status.broken:
                texts.setdefault((like.name, test.status), test.name)
    return texts


def _with_cases(runs: Sequence[Sequence[TestResult]]) -> Sequence[Sequence[TestResult]]:
    """Return these runs, of which one that skipped as a whole has skipped each case that the others have."""
    known = dict.fromkeys(test.name for run in runs if not _is_skipped(run) for test in run)
    if not known:
        return runs
    return [_with(known, run) if _is_skipped(run) else run for run in runs]


def _with(known: Collection[str], run: Sequence[TestResult]) -> list[TestResult]:
    """Return a skipped run with a skip for each of these cases; its only line, if it has one, stands for all."""
    named = {test.name: test for test in run}
    other = [test for test in run if len(run) > 1 and test.name not in known]
    return [*(named.get(case, replace(run[0], name=case)) for case in known), *other]


def _is_skipped(run: Sequence[TestResult]) -> bool:
    return bool(run) and all(test.status is Status.SKIP for test in run)


def _one(tests: Sequence[TestResult]) -> TestResult:
    counts = Counter(test.status for test in tests)
    status = outcome.worst(counts)
    worst = next(test for test in tests if test.status is status)
    if len(tests) == 1 or set(counts) == {Status.PASS}:
        return worst
    counted = tuple(f"{counts[status]} of {len(tests)} runs {word}" for status, word in WORDS.items() if counts[status])
    return replace(
        worst, reason=", ".join(filter(None, (worst.reason, *counted))), diagnostics=(*worst.diagnostics, *counted)
    )
