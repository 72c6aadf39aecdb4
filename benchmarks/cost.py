"""What the series costs those who do not use it: instructions of fork, fault, unmap and protect, base and patched.

    python benchmarks/cost.py [--run RUN] [--boots 3]

Boots the two kernels of a run, in turn, under QEMU's ``-icount shift=0`` on one vCPU, where a tick of the time stamp
counter is one instruction: the figures do not know how busy this machine is. (Caches are not seen that way.) Needs a
`wpci run`, best of a variant without debugging options. Prints medians over all rounds, and their difference.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from boot import ROOT, request

from orchestrator.arch import DEFAULT
from orchestrator.guest import machine
from orchestrator.guest.rootfs import rootfs
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.kbuild import programs
from orchestrator.model import Accel, AccelFact, JobResult, Side
from orchestrator.pipeline import reboot
from orchestrator.progress import SILENT

Rounds = dict[str, list[int]]


def rounds(job: JobResult, folder: Path, program: str = "cost", memory: int = 0) -> Rounds:
    """Return the instructions of each round, by workload, of one boot; a workload that is refused has none.

    ``program`` is the name of a folder here and of the program in it, ``memory`` what its guest is to have at least.
    """
    cache, deadline = Cache.default(), Deadline.after(600)
    suite = programs.build_own(program, ROOT / "benchmarks" / program, cache, SILENT, deadline)
    made = rootfs.build(rootfs.RootfsSpec(folder / "rootfs", DEFAULT, (suite,)), cache, SILENT)
    assert job.machine and job.products.accel
    wanted = {"cpus": 1, "numa_nodes": 1, "swap": None, "memory": max(memory, job.machine.memory)}
    box = job.machine.model_copy(update=wanted)
    usual = request(job, folder)
    asked = replace(
        usual,
        rootfs=made,
        machine=box,
        accel=AccelFact(Accel.TCG, "max", job.products.accel.qemu, "instructions are counted"),
        extra=("-icount", "shift=0"),
    )
    with machine.boot(asked, SILENT) as guest:
        said = guest.run(f"/tests/{program}/{program}", deadline=Deadline.after(1800))
    lines = map(str.split, said.stdout.splitlines())
    return {name: [int(word) for word in counts if word.isdigit()] for name, *counts in lines}


def measured(jobs: Mapping[str, JobResult], boots: int, program: str = "cost", memory: int = 0) -> dict[str, Rounds]:
    """Return the rounds of all boots, by the name of a kernel; the kernels take turns. Options as of ``rounds``."""
    found: dict[str, Rounds] = {name: {} for name in jobs}
    with tempfile.TemporaryDirectory() as scratch:
        for boot in range(boots):
            for name, job in jobs.items():
                for workload, counts in rounds(job, Path(scratch) / f"{name}-{boot}", program, memory).items():
                    found[name].setdefault(workload, []).extend(counts)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", default="last")
    parser.add_argument("--boots", type=int, default=3)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    jobs = {side.value: reboot.find(options.results, options.run, side, None) for side in Side}
    found = measured(jobs, options.boots)
    print(f"{'workload':20} {'base':>12} {'patched':>12}  difference  spread of base")
    for name, base in found[Side.BASE.value].items():
        before, after = statistics.median(base), statistics.median(found[Side.PATCHED.value][name])
        low, _, high = statistics.quantiles(base, n=4)
        print(f"{name:20} {before:12.0f} {after:12.0f}  {after / before - 1:+10.2%}  {(high - low) / before:10.2%}")


if __name__ == "__main__":
    main()
