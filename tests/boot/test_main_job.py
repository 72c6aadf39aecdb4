"""The main job as a user runs it: real trees, real kernels, real QEMU."""

from __future__ import annotations

import os
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from orchestrator.coverage import measure
from orchestrator.model import Side, rundir
from orchestrator.model.coverage import Reach
from orchestrator.mutation import faults
from tests.boot.conftest import ROOT, MainRun


def transitions(run: MainRun) -> dict[str, tuple[str, str]]:
    (series,) = run.result.series
    return {t.test: (t.base.value, t.patched.value) for t in series.transitions}


def test_the_main_job_ends_green(main_run: MainRun) -> None:
    assert main_run.code == 0


@pytest.mark.parametrize(
    ("test", "base", "patched"),
    [
        ("A04_user-mode-only", "skip", "pass"),
        ("C10_copy-ro-anon", "fail", "pass"),
        ("S07_swapoff-private.anon", "fail", "pass"),
        ("G01_anon-none", "pass", "pass"),
    ],
)
def test_the_series_changes_what_it_promises(main_run: MainRun, test: str, base: str, patched: str) -> None:
    seen = {name: pair for name, pair in transitions(main_run).items() if name == test or name.startswith(f"{test}.")}
    assert seen, f"{test} did not run"
    assert set(seen.values()) == {(base, patched)}


def test_junit_says_the_same_as_the_result(main_run: MainRun) -> None:
    tree = ET.parse(main_run.directory / "junit.xml")
    cases = {case.get("name") for case in tree.iter("testcase")}
    assert set(transitions(main_run)) <= {str(name) for name in cases}
    assert not list(tree.iter("failure")) and not list(tree.iter("error"))


def test_both_guests_ran_the_kernel_that_was_built_for_them(main_run: MainRun) -> None:
    found = [job.identity for job in main_run.result.jobs]
    assert len({i.kernel for i in found if i}) == len(found) == 2
    assert len({i.accel for i in found if i}) == 1 and {i.accel for i in found if i} <= {"kvm", "tcg"}


def test_it_is_known_which_test_ran_which_changed_line(main_run: MainRun) -> None:
    patched = next(job for job in main_run.result.jobs if job.side is Side.PATCHED)
    if patched.identity and patched.identity.accel == "kvm":
        assert patched.coverage is None and "under KVM only" in patched.coverage_words
        return
    assert patched.coverage and 0 < patched.coverage.ran <= patched.coverage.code < patched.coverage.changed
    known = measure.load(patched.directory / rundir.COVERAGE)
    assert known and not known.by_program
    swapoff = [line for name, line in known.changed if name == "mm/swapfile.c" and line.reach is Reach.RAN]
    tests = {known.tests[number] for line in swapoff for number in line.tests}
    assert {name for name in tests if name.startswith("S07_")} and not {name for name in tests if name[0] in "AC"}
    assert (patched.directory / rundir.COVERAGE_PAGE).stat().st_size > 0


def test_no_guest_outlives_the_run(main_run: MainRun) -> None:
    mine = str(main_run.directory.resolve())
    alive = [p for p in Path("/proc").glob("[0-9]*/cmdline") if mine in _text(p) and "qemu" in _text(p)]
    assert alive == []


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_every_test_left_its_markers_on_the_console(main_run: MainRun) -> None:
    """Without them no splat could be charged to the test that ran."""
    for job in main_run.result.jobs:
        console = "".join(p.read_bytes().decode(errors="replace") for p in job.directory.glob("boot-*/console.log"))
        names = [test.name for suite in job.suites for test in suite.tests]
        assert names
        marked = set(re.findall(r"wpci: [0-9a-f]{12} (begin|end) (\S+)", console))
        assert [n for n in names if not {("begin", n), ("end", n)} <= marked] == []


def test_each_seeded_fault_applies_on_top_of_the_series(main_run: MainRun, tmp_path: Path) -> None:
    tree = main_run.job(Side.PATCHED).products.tree
    assert tree
    environment = {**os.environ, "GIT_DIR": str(tree.repository), "GIT_INDEX_FILE": str(tmp_path / "index")}

    def git(*argv: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *argv], cwd=tmp_path, env=environment, input=given, text=True, check=False, capture_output=True
        )

    assert git("read-tree", tree.commit).returncode == 0
    seeded = faults.load(ROOT / "patches" / "faults")
    stale = [fault.name for fault in seeded if git("apply", "--cached", "--check", given=fault.diff).returncode]
    assert len(seeded) > 100 and stale == []
