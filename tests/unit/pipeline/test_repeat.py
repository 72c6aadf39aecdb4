"""Tests that run once more: what the kernel does then counts, and what the host does is a note."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import suite
from orchestrator.config.suites import Suite
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.guest.exit import Hung
from orchestrator.model import JobResult, Side, Stage, StageResult, Status, TestResult, Verdict
from orchestrator.pipeline import job, repeat, suite_requests, tracing
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.verdict import series_verdict
from tests.fakes import engines
from tests.fakes import results as fixture


class Twice:
    """A job whose tests passed, and which runs them once more."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        uffd = Suite(directory=folder)
        planned = replace(engines.job(), suites=(("uffd", uffd),))
        first = fixture.job(Side.PATCHED, (TestResult("copy", Status.PASS),))
        self.record = JobRecord(planned, engines.workspace(folder), list(first.stages), list(first.suites))
        self.record._made[Stage.BOOT] = job.Booted(None, None)  # type: ignore[arg-type]
        self.patch = monkeypatch
        monkeypatch.setattr(tracing, "measure", lambda record: None)
        monkeypatch.setattr(job, "packed", lambda record: None)
        monkeypatch.setattr(suite_requests, "request", lambda *_: None)

    def again(
        self, boot: PipelineError | None = None, run: PipelineError | None = None, is_base: bool = False
    ) -> JobResult:
        """Run the tests once more, where the new guest, or the suite in it, ends with this fault."""

        @contextlib.contextmanager
        def guests(*_: object) -> Iterator[Any]:
            if boot:
                raise boot
            yield type("Guests", (), {"following": None})

        def ran(*_: object) -> None:
            if run:
                raise run

        self.patch.setattr(job, "new_guests", guests)
        self.patch.setattr(suite, "run", ran)
        return repeat.tests(self.record, {"uffd": ["copy"]}, is_base=is_base)


@pytest.fixture
def twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Twice:
    return Twice(tmp_path, monkeypatch)


HUNG = Hung("not up after 300 s", log=Path("/r/boot-2/console.log"))


def test_a_kernel_that_does_not_come_up_again_fails_its_boot(twice: Twice) -> None:
    assert twice.again().verdict is Verdict.PASS
    result = twice.again(boot=HUNG)
    assert (result.verdict, result.reason) == (Verdict.FAIL, "boot: when tests ran again: not up after 300 s")
    assert result.stage(Stage.BOOT) == StageResult(
        Stage.BOOT, Verdict.FAIL, 4.25, "when tests ran again: not up after 300 s", HUNG.log
    )
    assert [stage.stage for stage in result.stages] == [Stage.BUILD, Stage.BOOT, Stage.SUITE]
    assert result.notes == ()


@pytest.mark.parametrize(("boot", "run"), [(HUNG, None), (None, HUNG)])
def test_a_base_that_does_not_come_up_again_acquits_nothing(
    twice: Twice, boot: PipelineError | None, run: PipelineError | None
) -> None:
    base = twice.again(boot, run, is_base=True)
    assert base.verdict is Verdict.PASS and base.failed_stage is None
    assert base.notes == ("tests were not run again: not up after 300 s",)
    broken = fixture.job(Side.PATCHED, (TestResult("copy", Status.FAIL),))
    assert series_verdict.judge(base, broken).verdict is Verdict.FAIL
    assert series_verdict.judge(base, twice.again()).verdict is Verdict.PASS


def test_a_patched_kernel_that_does_not_come_up_again_fails(twice: Twice) -> None:
    well, hung = twice.again(), twice.again(boot=HUNG)
    assert series_verdict.judge(well, hung).verdict is Verdict.FAIL


def test_a_kernel_that_fails_in_the_middle_of_the_suite_fails_that(twice: Twice) -> None:
    result = twice.again(run=KernelError("the list of tests did not end"))
    assert (result.verdict, result.reason) == (
        Verdict.FAIL,
        "suite: when tests ran again: the list of tests did not end",
    )


def test_a_stage_that_had_failed_keeps_its_first_fault(twice: Twice) -> None:
    twice.again(boot=HUNG)
    result = twice.again(boot=Hung("not up after 400 s"))
    assert result.reason == "boot: when tests ran again: not up after 300 s"
    assert result.notes == ("tests were not run again: not up after 400 s",)


@pytest.mark.parametrize("fault", [InfraError("no QEMU"), UserError("no test matches")])
def test_what_is_not_the_kernels_changes_nothing(twice: Twice, fault: PipelineError) -> None:
    for result in (twice.again(boot=fault), twice.again(run=fault)):
        assert result.verdict is Verdict.PASS
        assert set(result.notes) == {f"tests were not run again: {fault}"}
