"""Boot to the first SSH command done, ours and by hand on the same kernel; and how soon a panic is reported.

    python benchmarks/boot.py [--rounds 5]

Needs a `wpci run` before it, whose kernel and rootfs it takes. Prints medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import byhand

from orchestrator.errors import KernelError
from orchestrator.guest import machine
from orchestrator.host.process import Deadline
from orchestrator.model import JobResult
from orchestrator.parse import splat
from orchestrator.progress import SILENT

ROOT = Path(__file__).parents[1]


def request(job: JobResult, folder: Path, *cmdline: str) -> machine.BootRequest:
    kernel, rootfs, accel = job.products.kernel, job.products.rootfs, job.products.accel
    assert kernel and rootfs and accel and job.machine
    box = job.machine.model_copy(update={"cmdline": cmdline})
    limits = machine.Limits(300, 60, 600)
    return machine.BootRequest(kernel, rootfs, box, accel, folder, limits, splat.fatal_matcher(splat.load_rules(None)))


def ours(job: JobResult, folder: Path) -> float:
    started = time.monotonic()
    with machine.boot(request(job, folder), SILENT) as guest:
        guest.run("true", deadline=Deadline.after(60))
        return time.monotonic() - started


def by_hand(job: JobResult, folder: Path) -> float:
    script = byhand.start(job, folder) + "date +%s.%N\n" + byhand.end(job)
    started = time.time()
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0]) - started


def panic_to_report(job: JobResult, folder: Path) -> float:
    """Return the seconds from the panic line on the console file to the fault in our hands."""
    try:
        with machine.boot(request(job, folder, "rdinit=/none", "root=/dev/none"), SILENT):
            raise SystemExit("a guest without init came up")
    except KernelError:
        return time.time() - (folder / "console.log").stat().st_mtime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    job = byhand.jobs(options.results)[0]
    figures: dict[str, list[float]] = {"ours": [], "by hand": [], "panic to report": []}
    with tempfile.TemporaryDirectory() as scratch:
        for k in range(options.rounds):
            figures["ours"].append(ours(job, Path(scratch) / f"ours-{k}"))
            figures["by hand"].append(by_hand(job, Path(scratch)))
            figures["panic to report"].append(panic_to_report(job, Path(scratch) / f"panic-{k}"))
    for name, found in figures.items():
        print(f"{name:16} {statistics.median(found):6.2f} s   {[round(x, 2) for x in found]}")


if __name__ == "__main__":
    main()
