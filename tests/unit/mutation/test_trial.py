"""What is believed of what a mutant showed: what does so again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.model import JobResult, Side, Splat, Stage, StageResult, Status, TestResult, Verdict
from orchestrator.model.trial import Trial
from orchestrator.mutation import trial
from orchestrator.mutation.campaign import Campaign, Round
from orchestrator.mutation.judge import Finding
from orchestrator.mutation.report import Baseline, Outcome
from orchestrator.pipeline import job
from orchestrator.pipeline.job_record import JobRecord, Stopped
from tests.fakes import engines
from tests.fakes import results as fixture

JOB = replace(engines.job(), expect="patched")
CAMPAIGN = Campaign(
    JOB,
    Trial((("*",),), 10.0, 1.0, expected=fixture.EXPECTED),
    Baseline("k", "s", {}, 1.0),
    image="k",
    rounds=(Round("first", ("other",)), Round("rest", ("*",))),
)


def ran(**red: str) -> tuple[TestResult, ...]:
    """Return two tests that took a second each; those that are ``red`` for a reason."""
    return tuple(
        TestResult(name, Status.FAIL if name in red else Status.PASS, red.get(name, ""), seconds=1.0)
        for name in ("other", "promised")
    )


def noticed(path: Path, patch: pytest.MonkeyPatch, *tries: JobResult) -> Finding | None:
    """Return what is found where a mutant shows this, one try after the other."""
    left = iter(tries)
    patch.setattr(job, "go_on", lambda record: next(left))
    found = trial._noticed(JobRecord(JOB, engines.workspace(path)), CAMPAIGN)
    assert next(left, None) is None
    return found


def test_what_is_told_of_a_kill_is_that_of_the_test_that_did_so_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_doubts", lambda *_: ("other",))
    found = noticed(tmp_path, monkeypatch, fixture.job(Side.PATCHED, ran(other="2 pages", promised="3 pages")))
    assert found and (found.by, found.doubtful) == (("promised",), ("other",))
    assert (found.round, found.after, found.noticed) == ("rest", 2, 2.0)
    assert found.detail == "promised: fail, expected pass"


def test_a_fault_of_the_whole_series_is_told_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(record: JobRecord) -> None:
        raise Stopped(StageResult(Stage.BOOT, Verdict.INFRA, 1.0, "no QEMU"))

    result = fixture.job(Side.PATCHED, ran(other="2 pages"))
    monkeypatch.setattr(job, "bootable", stopped)
    monkeypatch.setattr(type(result.products), "bootable", object())
    monkeypatch.setattr(trial, "Bench", lambda *_: None)
    with pytest.raises(InfraError, match=r"^boot: no QEMU$"):
        noticed(tmp_path, monkeypatch, result)


STALL = Splat("rcu-stall", "rcu_sched detected stall", 1, 2, "", False, "other")
PANIC = Splat("panic", "Kernel panic", 1, 2, "", True)
HUNG = (StageResult(Stage.BOOT, Verdict.FAIL, 60.0, "no sign of life"),)


def test_a_stall_counts_when_it_comes_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stalled, well = fixture.job(Side.PATCHED, ran(), splats=(STALL,)), fixture.job(Side.PATCHED, ran())
    title = f"splat: {STALL.title}"
    found = noticed(tmp_path, monkeypatch, stalled, well)
    assert found and (found.outcome, found.doubtful) == (Outcome.SURVIVED, (title,))
    found = noticed(tmp_path, monkeypatch, stalled, stalled)
    assert found and (found.outcome, found.by, found.doubtful) == (Outcome.KILLED, (title,), ())


def test_what_is_wrong_with_a_program_counts_when_it_comes_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = fixture.job(Side.PATCHED, ran())
    wrong = replace(well, suites=tuple(replace(run, problems=("p: exit code 139",)) for run in well.suites))
    name = "problem: p: exit code 139"
    found = noticed(tmp_path, monkeypatch, wrong, well)
    assert found and (found.outcome, found.doubtful) == (Outcome.SURVIVED, (name,))
    found = noticed(tmp_path, monkeypatch, wrong, wrong)
    assert found and (found.outcome, found.by, found.doubtful) == (Outcome.KILLED, (name,), ())


def test_a_test_that_fails_beside_a_stall_is_confirmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Finding] = []

    def doubts(finding: Finding, *_: object) -> tuple[str, ...]:
        asked.append(finding)
        return ()

    monkeypatch.setattr(trial, "_doubts", doubts)
    found = noticed(tmp_path, monkeypatch, fixture.job(Side.PATCHED, ran(promised="3 pages"), splats=(STALL,)))
    assert found and found.by == ("promised",) and not asked[0].certain
    assert found.doubtful == (f"splat: {STALL.title}",)


def test_a_boot_without_an_end_counts_when_it_comes_once_more_and_a_panic_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, well = fixture.job(Side.PATCHED, (), stages=HUNG, suites=()), fixture.job(Side.PATCHED, ran())
    found = noticed(tmp_path, monkeypatch, hangs, well)
    assert found and (found.outcome, found.doubtful) == (Outcome.SURVIVED, ("boot",))
    found = noticed(tmp_path, monkeypatch, hangs, hangs)
    assert found and (found.by, found.doubtful) == (("boot",), ())
    found = noticed(tmp_path, monkeypatch, replace(hangs, splats=(PANIC,)))
    assert found and found.by == ("boot",)
