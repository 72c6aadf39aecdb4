"""What a whole run costs over doing the same by hand, measured in one run, interleaved.

    python benchmarks/overhead.py [--rounds 5]

By hand means: the same QEMU command line, the same initramfs, ssh from a shell script, the same test programs. Needs a
green `wpci run` before it, whose kernels, results and tests it takes: few tests make little noise. Prints medians, and
their difference; and what source, series, build and rootfs took of it in all jobs of a run, which keys decide where
nothing changed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import byhand

from orchestrator.model import Stage

ROOT = Path(__file__).parents[1]


def timed(argv: list[str]) -> float:
    started = time.monotonic()
    subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def decided(results: Path) -> float:
    """Return the seconds of the last run's stages before the first boot."""
    stages = [stage for job in byhand.jobs(results) for stage in job.stages]
    return sum(float(s.seconds) for s in stages if s.stage in {Stage.SOURCE, Stage.SERIES, Stage.BUILD, Stage.ROOTFS})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    jobs = byhand.jobs(options.results)
    ours, theirs, keys = [], [], []
    again = [sys.executable, "-m", "orchestrator.cli", "run", *byhand.same_tests(jobs)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        script = folder / "by-hand.sh"
        script.write_text("".join(byhand.start(j, folder) + byhand.suite(j) + byhand.end(j) for j in jobs))
        for _ in range(options.rounds):
            ours.append(timed([*again, "--results", str(folder / "r")]))
            keys.append(decided(folder / "r"))
            theirs.append(timed(["bash", str(script)]))
    ours_s, theirs_s = statistics.median(ours), statistics.median(theirs)
    print(f"wpci run, everything cached    {ours_s:6.1f} s   {[round(x, 1) for x in ours]}")
    print(f"by hand, the same {len(jobs)} guests    {theirs_s:6.1f} s   {[round(x, 1) for x in theirs]}")
    print(f"difference                     {ours_s - theirs_s:6.1f} s")
    print(f"of it decided by keys          {statistics.median(keys):6.2f} s   {[round(x, 2) for x in keys]}")


if __name__ == "__main__":
    main()
