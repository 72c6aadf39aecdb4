"""`wpci nightly` on the kernels that the main job has built: two nights, the second held against the first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.host.cache import Cache
from orchestrator.model import Side, Verdict
from orchestrator.nightly.run import LOCK
from orchestrator.progress import SILENT
from orchestrator.report import result_json
from tests.boot.conftest import ROOT, MainRun

pytestmark = pytest.mark.nightly  # four guests; the stage ring has nights of the fake tree
TESTS = ["--test", "G02_anon-present", "--test", "S07_swapoff-private.anon", "--test", "B01"]


def night(results: Path) -> str:
    with Cache.default().lock(LOCK, SILENT):  # a night of this machine's user has it: wait, for there is one at a time
        pass
    argv = [sys.executable, "-m", "orchestrator.cli", "nightly", "--mode", "smoke", "--results", str(results)]
    done = subprocess.run([*argv, *TESTS], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_second_night_knows_the_first(main_run: MainRun, tmp_path: Path) -> None:
    night(tmp_path)
    first = result_json.load_run((tmp_path / "last" / "result.json").read_text())
    assert first.verdict is Verdict.PASS and first.mode == "smoke"
    built = {side: main_run.job(side).products.kernel for side in Side}
    assert all(job.products.kernel == built[job.side] for job in first.jobs)
    shown = sum(len(suite.tests) for job in first.jobs for suite in job.suites)
    said = night(tmp_path)
    stages = 3 * len(first.jobs)  # it applies, builds, boots
    broken = sum(test.status.broken for job in first.jobs for suite in job.suites for test in suite.tests)
    assert broken == 1
    assert f"against the nights before: {shown + stages - broken} steady, {broken} persistent" in said
    assert "uffd/S07_swapoff-private.anon" in said and "fail → fail  in linux-5.10.smoke" in said
    assert "smoke" in (tmp_path / "report" / "index.html").read_text()
