"""What the pipeline costs over doing the same by hand, measured in one run, interleaved.

    python benchmarks/overhead.py [--rounds 5]

By hand means: the same QEMU command line, the same initramfs, ssh from a shell script, the same test programs. Needs a
green `wpci run` before it, whose kernels and results it takes. Prints medians, and their difference.
"""

from __future__ import annotations

import argparse
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.model import JobResult, Side
from orchestrator.results import result_json

ROOT = Path(__file__).parents[1]


def jobs(results: Path) -> list[JobResult]:
    return [result_json.load_job(p.read_text()) for p in sorted((results / "last").glob("jobs/*/result.json"))]


def by_hand(job: JobResult, tests: list[str], folder: Path) -> str:
    """Return a shell script that boots the job's guest and runs the same tests in it."""
    first = (job.directory / "boot-1" / "qemu.log").read_text().splitlines()[0].removeprefix("$ ")
    argv = [a for a in shlex.split(first)]
    line = shlex.join(argv)
    line = re.sub(r"path=\S*console\.log", f"path={folder}/console.log", line)
    line = re.sub(r"-chardev \S*id=monitor\S* -mon \S+", "", line)
    line = re.sub(r"hostfwd=tcp:127\.0\.0\.1:0-:22", "hostfwd=tcp:127.0.0.1:22222-:22", line)
    line = re.sub(
        r"file=\S*swap\.img|filename=\S*swap\.img", lambda m: m[0].split("=")[0] + f"={folder}/swap.img", line
    )
    assert job.products.rootfs
    key = job.products.rootfs.identity
    ssh = (
        f"ssh -q -p 22222 -i {key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no "
        "-o UserKnownHostsFile=/dev/null -o ConnectTimeout=2 root@127.0.0.1"
    )
    picks = " ".join(f"-r '{t}'" for t in tests)
    return f"""set -e
rm -f {folder}/console.log; truncate -s 256M {folder}/swap.img
{line} & qemu=$!
until {ssh} true; do sleep 0.1; done
{ssh} 'cd /tests/uffd; for p in *; do ./$p -l {picks} >/dev/null 2>&1 && ./$p {picks}; done; true' > {folder}/out
{ssh} poweroff || true
wait $qemu
"""


def timed(argv: list[str], cwd: Path) -> float:
    started = time.monotonic()
    subprocess.run(argv, cwd=cwd, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    found = jobs(options.results)
    tests = {j.job: [t.name for s in j.suites for t in s.tests] for j in found}
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for _ in range(options.rounds):
            ours.append(timed([sys.executable, "-m", "orchestrator.cli", "run", "--results", str(folder / "r")], ROOT))
            script = folder / "by-hand.sh"
            script.write_text("\n".join(by_hand(j, tests[j.job], folder) for j in found))
            theirs.append(timed(["bash", str(script)], ROOT))
    print(f"wpci run, everything cached   {statistics.median(ours):6.1f} s   {[round(x, 1) for x in ours]}")
    print(f"by hand, the same two guests  {statistics.median(theirs):6.1f} s   {[round(x, 1) for x in theirs]}")
    print(f"difference                    {statistics.median(ours) - statistics.median(theirs):6.1f} s")
    assert {j.side for j in found} == {Side.BASE, Side.PATCHED}


if __name__ == "__main__":
    main()
