"""The real series on a kernel that counts its lines: what gcov and the plugin of QEMU say of them, in one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.coverage import measure
from orchestrator.model import JobResult, Side, Verdict, rundir
from orchestrator.model.coverage import LineCoverage, Reach
from orchestrator.report import result_json
from tests.boot.conftest import ROOT

pytestmark = pytest.mark.nightly  # it builds two kernels of its own


def patched(results: Path, variant: str) -> JobResult:
    """Run some tests with the series on a variant, by the installed command; return the job of the patched kernel."""
    options = ["--variant", variant, "--suite", "uffd", "--test", "A0*", "--test", "S0*", "--results", str(results)]
    done = subprocess.run([sys.executable, "-m", "orchestrator.cli", "run", *options], cwd=ROOT, check=False)
    result = result_json.load_run((results / "last" / "result.json").read_text())
    assert (done.returncode, result.verdict) == (0, Verdict.PASS), result.notes
    return next(job for job in result.jobs if job.side is Side.PATCHED)


def lines(known: LineCoverage | None, reach: Reach) -> set[tuple[str, int]]:
    assert known
    return {(name, line.number) for name, line in known.changed if line.reach is reach}


def test_gcov_and_the_plugin_agree_on_what_ran(tmp_path: Path) -> None:
    counted, traced = patched(tmp_path / "counted", "coverage"), patched(tmp_path / "traced", "smoke")
    assert counted.coverage and counted.coverage.by_guest and "counted by gcov" in counted.coverage_words
    assert traced.coverage and not traced.coverage.by_guest
    by_gcov, by_plugin = (measure.load(job.directory / rundir.COVERAGE) for job in (counted, traced))
    ran, missed = lines(by_gcov, Reach.RAN), lines(by_gcov, Reach.MISSED)
    both = lines(by_plugin, Reach.RAN) | lines(by_plugin, Reach.MISSED)
    agreed = len(ran & lines(by_plugin, Reach.RAN)) + len(missed & lines(by_plugin, Reach.MISSED))
    # what runs besides the tests, and which lines the compiler leaves, differ between the two kernels
    assert agreed >= 0.9 * len(both & (ran | missed)) > 0
