"""What it costs to see which changed lines run: the suite of a series with and without the plugin, in turns.

    python benchmarks/coverage.py [--rounds 5] [--test GLOB]...

Under TCG. Each round runs the patched job of the default mode without and with coverage, each in a guest of its own, in
the order of the round before exchanged. Prints the seconds of the suite and of the boot, the ratio of each round, and
whether every test had the same outcome. Kernel and line tables are made before the first round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from overhead import ROOT

from orchestrator.config import loader
from orchestrator.config.schema import Pipeline
from orchestrator.model import JobResult, Stage, plan
from orchestrator.model.plan import Job
from orchestrator.pipeline import job, opening
from orchestrator.progress import SILENT


def ran(planned: Job, pipeline: Pipeline, folder: Path, covered: bool) -> JobResult:
    """Run a job in a folder of its own."""
    folder.mkdir()
    chosen = pipeline.model_copy(update={"coverage": covered})
    return job.run(planned, opening.workspace_in(chosen, folder, SILENT))


def seconds(result: JobResult, stage: Stage) -> float:
    """Return what a stage took; what the guest's tests took, for that of the suite."""
    if stage is Stage.SUITE:
        return sum(run.seconds for run in result.suites)
    return sum(one.seconds for one in result.stages if one.stage is stage)


def outcomes(result: JobResult) -> dict[str, str]:
    """Return the outcome of each test."""
    return {test.name: test.status.value for run in result.suites for test in run.tests}


def main() -> None:
    """Run the rounds and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--test", action="append", default=[])
    options = parser.parse_args()
    pipeline = loader.load(ROOT / "pipeline.yaml")
    choice = plan.Choice(tests=tuple(options.test))
    planned = plan.expand(pipeline, pipeline.default_mode, choice).pairs[0].patched
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        first = ran(planned, pipeline, Path(scratch, "first"), True)
        print(first.coverage_words, *first.notes)
        for number in range(options.rounds):
            both = {}
            for covered in (False, True) if number % 2 else (True, False):
                both[covered] = ran(planned, pipeline, Path(scratch, f"{number}-{covered}"), covered)
            suite = {covered: seconds(result, Stage.SUITE) for covered, result in both.items()}
            boot = {covered: seconds(result, Stage.BOOT) for covered, result in both.items()}
            ratios.append(suite[True] / suite[False])
            same = outcomes(both[False]) == outcomes(both[True])
            print(
                f"round {number + 1}: suite {suite[False]:.1f} s without, {suite[True]:.1f} s with, "
                f"{ratios[-1]:.3f}; boot {boot[False]:.1f} s and {boot[True]:.1f} s; "
                f"{len(outcomes(both[True]))} tests, {'the same outcomes' if same else 'other outcomes'}"
            )
    print(f"median of {options.rounds}: {statistics.median(ratios):.3f} of the time without")


if __name__ == "__main__":
    main()
