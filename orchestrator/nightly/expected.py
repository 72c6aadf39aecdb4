"""Tests that are worse than they were, and do what the expectations say: no finding of a night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.history.classify import Change
from orchestrator.history.night import Comparison, Finding
from orchestrator.model import JobResult
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.pipeline import job_record
from orchestrator.pipeline.values import Plan
from orchestrator.text import wording
from orchestrator.verdict.outcome import meets


def without(comparison: Comparison, plan: Plan, jobs: Sequence[JobResult]) -> Comparison:
    """Return a comparison without the regressions that an expectation covers, and with a note that names them."""
    regressed = comparison.of(Change.REGRESSED)
    promised = _promised(plan, jobs, {finding.job for finding in regressed})
    columns = {planned.name: planned.expect for planned in plan.jobs}
    covered = [f for f in regressed if _covers(promised[f.job].get(f.suite, NONE), f, columns[f.job])]
    if not covered:
        return comparison
    names = wording.some([f"{finding.id} in {finding.job}" for finding in covered], 2)
    left = tuple(finding for finding in comparison.findings if finding not in covered)
    return replace(comparison, findings=left, notes=(*comparison.notes, f"worse than it was, as expected: {names}"))


def _promised(plan: Plan, jobs: Sequence[JobResult], names: set[str]) -> Mapping[str, Mapping[str, Expectations]]:
    """Return what the suites of these jobs promise; with a series, by the symbols of its base, as it is judged."""
    kernels = {job.name: job.products.kernel for job in jobs}
    bases = {pair.patched.name: pair.base.name for pair in plan.pairs}
    return {
        planned.name: job_record.expected(planned, kernels.get(bases.get(planned.name, planned.name)))
        for planned in plan.jobs
        if planned.name in names
    }


def _covers(promised: Expectations, finding: Finding, column: str | None) -> bool:
    """Whether a test does what is expected of it, or may do anything."""
    wanted = promised.of(finding.test, column)
    does = finding.now is not None and wanted is not None and meets(finding.now, wanted)
    return does or not promised.judged(finding.test, column)
