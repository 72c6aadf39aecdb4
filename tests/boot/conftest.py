"""The boot ring: the main job runs once, as a user runs it, and its kernels serve every other test."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.model import JobResult, Kernel, RunResult, Side
from orchestrator.report import result_json

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class MainRun:
    """One `wpci run` on pipeline.yaml as it stands."""

    code: int
    directory: Path

    @property
    def result(self) -> RunResult:
        return result_json.load_run((self.directory / "result.json").read_text())

    def job(self, side: Side) -> JobResult:
        return next(job for job in self.result.jobs if job.side is side)


@pytest.fixture(scope="session")
def main_run(tmp_path_factory: pytest.TempPathFactory) -> MainRun:
    results = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "orchestrator.cli", "run", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    return MainRun(done.returncode, (results / "last").resolve())


@pytest.fixture(scope="session")
def kernel(main_run: MainRun) -> Kernel:
    """The base kernel of the main job; a run that built none fails every test that needs one."""
    built = main_run.job(Side.BASE).products.kernel
    assert built, "the main job built no base kernel"
    return built


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this ring the time that two kernels take on a slow machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(3600))
