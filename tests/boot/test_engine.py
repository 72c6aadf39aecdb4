"""The real kernels of the main job on two worker processes: the outcomes are those that they have here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.model import RunResult, Side, Status, Verdict
from orchestrator.report import result_json
from tests.boot.conftest import ROOT, MainRun

pytestmark = pytest.mark.nightly  # both kernels once more, and two guests beside each other
TESTS = ("A01", "A03", "G01", "S01")


def outcomes(result: RunResult) -> dict[tuple[Side, str], Status]:
    """Return what these tests showed, on both sides."""
    return {
        (job.side, test.name): test.status
        for job in result.jobs
        for suite in job.suites
        for test in suite.tests
        if test.name.startswith(TESTS)
    }


def test_two_workers_come_to_the_outcomes_of_this_machine(main_run: MainRun, tmp_path: Path) -> None:
    chosen = [word for test in TESTS for word in ("--test", test)]
    options = ["--engine", "workers:2", "--results", str(tmp_path), *chosen]
    done = subprocess.run([sys.executable, "-m", "orchestrator.cli", "run", *options], cwd=ROOT, check=False)
    result = result_json.load_run((tmp_path / "last" / "result.json").read_text())
    assert (done.returncode, result.verdict) == (0, Verdict.PASS), result.notes
    assert outcomes(result) == outcomes(main_run.result) and len(outcomes(result)) > 2 * len(TESTS)
    assert all(job.host for job in result.jobs)
