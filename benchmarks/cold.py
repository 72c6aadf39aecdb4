"""A cold build: the pipeline's build stage, against plain `make` with the same .config, side by side in one run.

    python benchmarks/cold.py [--jobs 1] [--rounds 2] [--both]

Each has a copy of the same tree, processors of its own (``--jobs`` of them) and nothing built before, and both run at
the same time, so that a noisy machine disturbs both; the next round changes the processors over, for one of them may
have more of the host's own work to do. The pipeline builds as it always does, behind ccache with an empty cache; the
hand calls make with plain gcc. With ``--both`` each builds the kernel without the series and then the one with it, as a
run does. Needs a `wpci run` before it. Prints wall and CPU seconds and ratios.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import byhand
from overhead import ROOT

from orchestrator.cli.screen import Screen
from orchestrator.cli.terminal import Terminal
from orchestrator.config import loader
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.kbuild import kernel
from orchestrator.kbuild.place import out_folder
from orchestrator.kbuild.request import BuildRequest
from orchestrator.model import JobResult, Side


@dataclass(frozen=True)
class Cost:
    """Seconds of one build: by the clock, and of all its processes."""

    wall: float
    cpu: float


def measured(build: Callable[[], None], processors: set[int]) -> Cost:
    """Return the cost of a build in a process of its own, on these processors."""
    reader, writer = os.pipe()
    started = time.monotonic()
    if (child := os.fork()) == 0:
        os.sched_setaffinity(0, processors)
        try:
            build()
            used = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
            os.write(writer, str(sum(u.ru_utime + u.ru_stime for u in used)).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("a build failed")
    return Cost(time.monotonic() - started, float(os.read(reader, 64)))


def pipeline(folder: Path, jobs: Sequence[JobResult]) -> None:
    """Build the trees of ``folder``, with an empty cache beside them, ccache's included."""
    for job in jobs:
        variant, tree = loader.load(ROOT / "pipeline.yaml").variants[job.variant], folder / job.side.value
        request = BuildRequest(
            source=tree,
            content=f"cold-{job.side.value}",
            out=out_folder(tree, job.variant),
            base=variant.base,
            fragments=variant.fragments,
        )
        kernel.build(request, Cache(folder / "cache"), Terminal(Screen(stderr=True)), Deadline.after(7200))


def hand(folder: Path, jobs: Sequence[JobResult], processes: int) -> None:
    """Build the trees of ``folder`` with make and plain gcc, each from its .config of the last run."""
    for job in jobs:
        tree, made = folder / job.side.value, job.products.kernel
        assert made
        out = tree / ".out-by-hand"
        out.mkdir()
        shutil.copyfile(made.config, out / ".config")
        make = ["make", f"-j{processes}", f"-C{tree}", f"O={out}", "ARCH=x86_64", "LOCALVERSION="]
        with (out / "log").open("wb") as log:
            subprocess.run([*make, "olddefconfig", "vmlinux"], check=True, stdout=log, stderr=log)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--both", action="store_true")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    sides = {job.side: job for job in byhand.jobs(options.results)}
    jobs = [sides[side] for side in (Side.BASE, Side.PATCHED) if options.both or side is Side.BASE]
    cache, processors = Cache.default(), sorted(os.sched_getaffinity(0))
    if len(processors) < 2 * options.jobs:
        sys.exit(f"{2 * options.jobs} processors are needed, here are {len(processors)}")
    halves = [set(processors[: options.jobs]), set(processors[options.jobs : 2 * options.jobs])]
    sums = [Cost(0, 0), Cost(0, 0)]
    for number in range(options.rounds):
        ours, theirs = halves[:: -1 if number % 2 else 1]
        costs = side_by_side(jobs, cache, options.jobs, ours, theirs)
        say(*costs)
        sums = [Cost(a.wall + b.wall, a.cpu + b.cpu) for a, b in zip(sums, costs, strict=True)]
    print("all rounds")
    say(*sums)


def side_by_side(
    jobs: Sequence[JobResult], cache: Cache, processes: int, ours: set[int], theirs: set[int]
) -> tuple[Cost, Cost]:
    """Return what the pipeline and the hand cost, at the same time."""
    with tempfile.TemporaryDirectory(dir=cache.root) as scratch, ThreadPoolExecutor() as pool:
        folder = Path(scratch)
        for job, name in itertools.product(jobs, ("ours", "theirs")):
            shutil.copytree(
                cache.path("work", job.tree, job.side.value),
                folder / name / job.side.value,
                symlinks=True,
            )
        first = pool.submit(measured, lambda: pipeline(folder / "ours", jobs), ours)
        second = pool.submit(measured, lambda: hand(folder / "theirs", jobs, processes), theirs)
        return first.result(), second.result()


def say(pipeline: Cost, hand: Cost) -> None:
    """Print two costs and their ratios."""
    print(f"pipeline  {pipeline.wall:7.1f} s, {pipeline.cpu:7.1f} CPU s")
    print(f"by hand   {hand.wall:7.1f} s, {hand.cpu:7.1f} CPU s")
    print(f"ratio     {pipeline.wall / hand.wall:7.3f}    {pipeline.cpu / hand.cpu:7.3f}", flush=True)


if __name__ == "__main__":
    main()
