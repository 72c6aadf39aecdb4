"""Why a red test is red."""

from __future__ import annotations

from pathlib import Path

from orchestrator.model import Side, Status, SuiteRun, TestResult, rundir
from orchestrator.pipeline.evidence import Collector
from orchestrator.pipeline.values import Plan
from tests.fakes import results

ENDS = (Status.PASS, Status.FAIL)


def test_a_test_that_passes_and_is_red_says_what_was_expected() -> None:
    base, patched = (results.job(s, (TestResult("promised", Status.PASS),)) for s in (Side.BASE, Side.PATCHED))
    (evidence,) = Collector(Plan("smoke", "smoke", (), ())).collect(results.run(results.series(base, patched)))
    assert (evidence.status, evidence.base) == (Status.PASS, "pass")
    assert evidence.reason == "expected skip on base, got pass"


def test_the_console_of_a_case_is_that_of_its_program_whose_name_may_have_a_dot(tmp_path: Path) -> None:
    folder = tmp_path / "boot-1"
    folder.mkdir()
    said = "\n".join(f"[    1.000000] {line}" for line in ("wpci: begin run.sh", "it said so", "wpci: end run.sh", ""))
    (folder / rundir.CONSOLE).write_text(said)
    runs = [SuiteRun("uffd", (TestResult("run.sh.a", how),), (), 1.0, programs=("run.sh",)) for how in ENDS]
    base, patched = (
        results.job(s, (), suites=(run,), directory=tmp_path)
        for s, run in zip((Side.BASE, Side.PATCHED), runs, strict=True)
    )
    (evidence,) = Collector(Plan("smoke", "smoke", (), ())).collect(results.run(results.series(base, patched)))
    assert evidence.console == ("[    1.000000] it said so",) and evidence.first == 2


def test_one_that_fails_says_why_it_failed() -> None:
    base = results.job(Side.BASE, (TestResult("same", Status.PASS),))
    patched = results.job(Side.PATCHED, (TestResult("same", Status.FAIL, "1 is not 2"),))
    (evidence,) = Collector(Plan("smoke", "smoke", (), ())).collect(results.run(results.series(base, patched)))
    assert evidence.reason == "1 is not 2"
