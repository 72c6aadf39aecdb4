"""The main job as a user runs it: real trees, real kernels, real QEMU."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def main_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """Run pipeline.yaml as it stands; return the exit code and the folder of the run."""
    results = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "orchestrator.cli", "run", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    return done.returncode, results / "last"


@pytest.fixture(scope="session")
def told(main_run: tuple[int, Path]) -> dict[str, Any]:
    return json.loads((main_run[1] / "result.json").read_text())["result"]


def transitions(told: dict[str, Any]) -> dict[str, tuple[str, str]]:
    (series,) = told["series"]
    return {t["test"]: (t["base"], t["patched"]) for t in series["transitions"]}


def test_the_main_job_ends_green(main_run: tuple[int, Path]) -> None:
    assert main_run[0] == 0


@pytest.mark.parametrize(
    ("test", "base", "patched"),
    [
        ("A04_user-mode-only", "skip", "pass"),
        ("C10_copy-ro-anon", "fail", "pass"),
        ("S07_swapoff-private.anon", "fail", "pass"),
        ("G01_anon-none", "pass", "pass"),
    ],
)
def test_the_series_changes_what_it_promises(told: dict[str, Any], test: str, base: str, patched: str) -> None:
    seen = {name: pair for name, pair in transitions(told).items() if name == test or name.startswith(f"{test}.")}
    assert seen, f"{test} did not run"
    assert set(seen.values()) == {(base, patched)}


def test_junit_says_the_same_as_the_result(main_run: tuple[int, Path], told: dict[str, Any]) -> None:
    tree = ET.parse(main_run[1] / "junit.xml")
    cases = {case.get("name") for case in tree.iter("testcase")}
    assert set(transitions(told)) <= {str(name) for name in cases}
    assert not list(tree.iter("failure")) and not list(tree.iter("error"))


def test_both_guests_ran_the_kernel_that_was_built_for_them(told: dict[str, Any]) -> None:
    kernels = [job["identity"]["kernel"] for job in told["jobs"]]
    assert len(set(kernels)) == 2
    assert {job["identity"]["accel"] for job in told["jobs"]} <= {"kvm", "tcg"}
    assert len({job["identity"]["accel"] for job in told["jobs"]}) == 1


def test_no_guest_outlives_the_run(main_run: tuple[int, Path]) -> None:
    mine = str(main_run[1].resolve())
    alive = [p for p in Path("/proc").glob("[0-9]*/cmdline") if mine in _text(p) and "qemu" in _text(p)]
    assert alive == []


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""
