"""What it costs to see which changed lines run: the suite of a series with and without the plugin, in turns.

    python benchmarks/coverage.py [--rounds 5] [--test GLOB]...

Under TCG. Each round runs the patched job of the default mode without and with coverage, each in a guest of its own, in
turns. Prints the seconds of suite and boot, the CPU seconds of all that the job started (QEMU above all; on a busy host
they say more), the ratios of each round, and whether every test had the same outcome. Kernel and line tables are made
before the first round.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
from pathlib import Path

from overhead import ROOT

from orchestrator.config import loader
from orchestrator.config.schema import Pipeline
from orchestrator.model import JobResult, Stage
from orchestrator.pipeline import job, opening, plan, values
from orchestrator.pipeline.values import Job
from orchestrator.progress import SILENT


def ran(planned: Job, pipeline: Pipeline, folder: Path, covered: bool) -> tuple[JobResult, float]:
    """Run a job in a folder of its own; return what came of it, and the CPU seconds of its children."""
    folder.mkdir()
    chosen = pipeline.model_copy(update={"coverage": covered})
    before = children()
    result = job.run(planned, opening.workspace_in(chosen, folder, SILENT))
    return result, children() - before


def children() -> float:
    """Return the CPU seconds of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
    choice = values.Choice(tests=tuple(options.test))
    planned = plan.expand(pipeline, pipeline.default_mode, choice).pairs[0].patched
    ratios, cpu_ratios = [], []
    with tempfile.TemporaryDirectory() as scratch:
        first, _ = ran(planned, pipeline, Path(scratch, "first"), True)
        print(first.coverage_words, *first.notes)
        for number in range(options.rounds):
            both, cpu = {}, {}
            for covered in (False, True) if number % 2 else (True, False):
                both[covered], cpu[covered] = ran(planned, pipeline, Path(scratch, f"{number}-{covered}"), covered)
            suite = {covered: seconds(result, Stage.SUITE) for covered, result in both.items()}
            boot = {covered: seconds(result, Stage.BOOT) for covered, result in both.items()}
            ratios.append(suite[True] / suite[False])
            cpu_ratios.append(cpu[True] / cpu[False])
            same = outcomes(both[False]) == outcomes(both[True])
            print(f"round {number + 1}: suite {suite[False]:.1f} s without, {suite[True]:.1f} s with: {ratios[-1]:.3f}")
            print(f"         CPU {cpu[False]:.1f} s and {cpu[True]:.1f} s: {cpu_ratios[-1]:.3f}")
            print(
                f"         boot {boot[False]:.1f} s and {boot[True]:.1f} s; {len(outcomes(both[True]))} tests, ", end=""
            )
            print("the same outcomes" if same else "other outcomes", flush=True)
    medians = statistics.median(ratios), statistics.median(cpu_ratios)
    print(f"median of {options.rounds}: {medians[0]:.3f} of the time without, {medians[1]:.3f} of the CPU time")


if __name__ == "__main__":
    main()
