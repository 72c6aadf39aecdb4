"""What protecting memory costs those who do: instructions of userfaultfd and of mprotect(), on several kernels.

    python benchmarks/use.py patched:RUN base:RUN mainline=patched:OTHER [--results FOLDER] [--boots 3]

Boots the kernel of each job, in turn, under QEMU's ``-icount shift=0`` on one vCPU, where a tick of the time stamp
counter is one instruction: the figures do not know how busy this machine is. A kernel is ``[NAME=]SIDE:RUN``. Prints
medians over all rounds in thousands of instructions, and what the first kernel takes of the last one's.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from boot import ROOT
from cost import Rounds, measured

from orchestrator.model import JobResult, Side
from orchestrator.pipeline import reboot

MEMORY = 3 << 30
_NONE = "refused"


def kernel(text: str, results: Path) -> tuple[str, JobResult]:
    """Return the name and the job of a kernel that was named on the command line."""
    name, _, what = text.rpartition("=")
    side, _, run = what.partition(":")
    return name or side, reboot.find(results, run or "last", Side(side), None)


def median(found: Rounds, workload: str) -> float | None:
    counts = found.get(workload, [])
    return statistics.median(counts) / 1000 if counts else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", nargs="+")
    parser.add_argument("--boots", type=int, default=3)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    jobs = dict(kernel(text, options.results) for text in options.kernels)
    found = measured(jobs, options.boots, "use", MEMORY)
    first, last = next(iter(found)), list(found)[-1]
    print(f"{'workload':28}" + "".join(f"{name:>14}" for name in found) + f"  {first} of {last}")
    for workload in found[first]:
        figures = [median(found[name], workload) for name in found]
        ratio = f"{figures[0] / figures[-1]:.3f}" if figures[0] and figures[-1] else ""
        print(f"{workload:28}" + "".join(f"{_NONE if f is None else f'{f:.1f}':>14}" for f in figures) + f"  {ratio}")


if __name__ == "__main__":
    main()
