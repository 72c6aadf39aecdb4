"""What the cage costs: the same with it and without, in turns, on the fake kernel tree of the tests.

    PYTHONPATH=. python benchmarks/cage.py [--rounds 10]

Each round builds the tree anew with an empty cache, asks for the kernel again, which is in the cache then, and types a
whole ``wpci run`` of a series that ran before, with the fake guest. Without the cage is with the namespaces alone.
Prints the seconds that the cage adds to a build (it starts four makes), to a cached request and to a cached run, the
share of a cold build of 240 seconds that this is, and the cached run with the cage as a multiple of one without. The
fake guest is in no cage: what one adds to a start of QEMU, of which a cached run has two, is a line of its own.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from orchestrator.arch import DEFAULT
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import FOREVER, sandbox
from orchestrator.kbuild import kernel
from orchestrator.kbuild.place import out_folder
from orchestrator.kbuild.request import BuildRequest
from orchestrator.progress import SILENT
from tests.stage.cli.test_commands import Table
from tests.stage.pipeline.test_run import GOOD

FAKE = Path(__file__).parents[1] / "tests" / "fakes" / "fakelinux"
COLD = 240.0
"""Seconds of a cold build of the smoke variant on a machine that is quick."""
MOST_ADDED = 0.2
"""Seconds that the cage may add to a cached run."""


def measured(caged: bool) -> tuple[float, float]:
    """Return the seconds of a build with an empty cache, and of asking for it again."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = Path(shutil.copytree(FAKE, folder / "tree"))
        (folder / "small.config").write_text("CONFIG_64BIT=y\n")
        request = BuildRequest(source, "content", out_folder(source, "t"), fragments=(folder / "small.config",))
        obstacle = sandbox.obstacle
        try:
            if not caged:
                sandbox.obstacle = lambda: "measured without"  # type: ignore[assignment]
            cache = Cache(folder / "cache")
            return timed(request, cache), timed(request, cache)
        finally:
            sandbox.obstacle = obstacle


FREE = """
from orchestrator.host.process import sandbox
sandbox.obstacle = lambda: "measured without"
"""


class Runs:
    """A series that ran once with the cage and once without."""

    def __init__(self, folder: Path) -> None:
        self.table = Table(folder)
        self.table.series(*GOOD)
        (folder / "free").mkdir()
        (folder / "free" / "sitecustomize.py").write_text(FREE)
        self.timed(True), self.timed(False)

    def timed(self, caged: bool) -> float:
        """Return the seconds of a run."""
        environment, folder = dict(self.table.environment), self.table.folder
        if not caged:
            environment["PYTHONPATH"] = f"{folder / 'free'}:{environment['PYTHONPATH']}"
        started = time.monotonic()
        subprocess.run(self.table.argv("run"), cwd=folder, env=environment, check=True, capture_output=True)
        return time.monotonic() - started


def timed(request: BuildRequest, cache: Cache) -> float:
    """Return the seconds of asking for a kernel."""
    started = time.monotonic()
    kernel.build(request, cache, SILENT, FOREVER)
    return time.monotonic() - started


def started(cage: process.Cage | None) -> float:
    """Return the seconds of a QEMU that tells its version."""
    begun = time.monotonic()
    process.run([DEFAULT.qemu, "--version"], cage=cage)
    return time.monotonic() - begun


def main() -> None:
    """Measure in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if why := sandbox.obstacle():
        parser.error(f"no cage here: {why}")
    measured(True), measured(False)
    rounds = [(measured(True), measured(False)) for _ in range(options.rounds)]
    build = statistics.median(caged[0] - free[0] for caged, free in rounds)
    again = statistics.median(caged[1] - free[1] for caged, free in rounds)
    print(f"a build        {build:+.3f} s, {build / COLD:.2%} of a cold build of {COLD:g} s")
    print(f"a cached one   {again:+.3f} s")
    guest = process.Cage(networked=True, user=sandbox.GUESTS)
    qemu = statistics.median(started(guest) - started(None) for _ in range(options.rounds))
    print(f"a QEMU         {qemu:+.3f} s")
    with tempfile.TemporaryDirectory() as scratch:
        runs = Runs(Path(scratch))
        pairs = [(runs.timed(True), runs.timed(False)) for _ in range(options.rounds)]
    added = statistics.median(caged - free for caged, free in pairs)
    ratio = statistics.median(caged / free for caged, free in pairs)
    print(f"a cached run   {added:+.3f} s of {MOST_ADDED:g} s, {ratio:.2f} times one without")


if __name__ == "__main__":
    main()
