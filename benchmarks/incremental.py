"""One changed file in mm/: a whole `wpci run`, against edit, make, boot and tests by hand, in one run, interleaved.

    python benchmarks/incremental.py [--rounds 3]

Needs a `wpci run` before it. The hand works in a copy of the base work tree and its output folder, and makes with the
same command line; both sides boot the same two guests and run the same test programs. Prints medians.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import byhand
from overhead import ROOT, timed

from orchestrator.host.cache import Cache
from orchestrator.kbuild import make, namesakes
from orchestrator.kbuild.place import out_folder
from orchestrator.model import Side

FILE = "mm/mempool.c"


def diff(source: Path, word: str) -> str:
    """Return a plain diff that adds one line in front of the file."""
    first = (source / FILE).read_text().splitlines()[:3]
    context = "".join(f" {line}\n" for line in first)
    return f"--- a/{FILE}\n+++ b/{FILE}\n@@ -1,3 +1,4 @@\n+/* {word} */\n{context}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    base = next(j for j in byhand.jobs(options.results) if j.side is Side.BASE)
    cache = Cache.default()
    tree = cache.path("work", base.tree, "base")
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(dir=cache.root) as scratch:
        folder = Path(scratch)
        shutil.copytree(tree, folder / "tree", symlinks=True)
        out = byhand.output(base, folder / "tree")
        shutil.copytree(out_folder(tree, base.variant), out, symlinks=True)
        store = make.Store(folder / "ccache", trusted=True)
        compiler = make.compiler(cache, store, namesakes.stamp(folder / "tree"), folder / "tree", out)
        settings = [f"{name}={value}" for name, value in make.environment(compiler).items()]
        argv = make.kernel_argv(folder / "tree", out, "x86_64", make.processors(), compiler)
        command = shlex.join(["env", "-i", *settings, *argv, "vmlinux"])
        script = folder / "by-hand.sh"
        script.write_text(
            "set -e\n"
            f'sed -i "1i /* $1 */" {folder}/tree/{FILE}\n{command}\n'
            + 2
            * (byhand.start(base, folder) + byhand.suite(base) + byhand.end(base))
        )
        tests = byhand.same_tests([base])
        timed(["bash", str(script), "warm up"])
        for number in range(options.rounds + 1):
            word = f"{time.time_ns()}-{number}"
            patch = folder / f"{number}.diff"
            patch.write_text(diff(tree, word))
            wpci = [sys.executable, "-m", "orchestrator.cli", "run", "--results", str(folder / "r"), *tests]
            seconds = timed([*wpci, "--series", str(patch)])
            if number:  # the first one moved the patched tree away from another series
                ours.append(seconds)
                theirs.append(timed(["bash", str(script), word]))
    ours_s, theirs_s = statistics.median(ours), statistics.median(theirs)
    print(f"wpci run --series one-file.diff  {ours_s:6.1f} s   {[round(x, 1) for x in ours]}")
    print(f"by hand                          {theirs_s:6.1f} s   {[round(x, 1) for x in theirs]}")
    print(f"difference                       {ours_s - theirs_s:6.1f} s")


if __name__ == "__main__":
    main()
