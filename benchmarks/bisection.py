"""The time of one step of `wpci bisect`, against `git bisect run` with a shell script, in one run.

    python benchmarks/bisection.py [--patches 16]

Needs a `wpci run` before it. Two series alike are bisected, each patch a change of one file in mm/ (but for its words:
what the compiler cache learned from the one must not help the other). The script makes with the same command line in a
copy of the base work tree, boots with the same QEMU command line and runs the same test over ssh. wpci takes one run a
step and builds nothing ahead. The ends, and the verification that wpci adds, are left out. Prints seconds a step.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import byhand
from overhead import ROOT

from orchestrator.host.cache import Cache
from orchestrator.kbuild import make
from orchestrator.model import JobResult, Side
from orchestrator.trees import repository

TEST = "G02_anon-present"
FAULT = ("mm/mprotect.c", "ptent = pte_mkuffd_wp(ptent);")
FILE = "mm/mempool.c"


def commits(tree: Path, start: str, word: str, count: int) -> list[str]:
    """Commit the changes on the base of a clone; two thirds down the line, one has the fault. Return the ids."""
    repository.git(tree, "checkout", "-q", "--force", "--detach", start)
    made = []
    for number in range(count):
        path = tree / FILE
        path.write_text(path.read_text() + f"int wpci_{word}_{number};\n")
        if number == 2 * count // 3:
            fault = tree / FAULT[0]
            fault.write_text(fault.read_text().replace(FAULT[1], ";", 1))
        repository.git(tree, "add", "-fu")
        repository.git(tree, "commit", "-q", "-m", f"mm: {word} {number}")
        made.append(repository.git(tree, "rev-parse", "HEAD"))
    return made


def script(base: JobResult, folder: Path, cache: Cache) -> str:
    """Return what `git bisect run` runs: make, boot, test; 0 is good, 1 is bad, 125 does not build."""
    tree = folder / "tree"
    out = tree / f".out-{base.variant}"
    compiler = make.compiler(cache, make.Store(folder / "ccache", trusted=True), tree, out)
    settings = [f"{name}={value}" for name, value in make.environment(compiler).items()]
    argv = make.kernel_argv(tree, out, "x86_64", make.processors(), compiler)
    assert base.products.kernel
    boot = byhand.start(base, folder).replace(str(base.products.kernel.image), f"{out}/vmlinux")
    test = f"cd /tests/uffd; for p in *; do ./$p -l -r {TEST} >/dev/null 2>&1 && ./$p -r {TEST}; done; true"
    return (
        f"#!/bin/bash\nexec </dev/null >>{folder}/by-hand.log 2>&1\ndate +%s.%N >>{folder}/begins\n"
        f"{shlex.join(['env', '-i', *settings, *argv, 'vmlinux'])} || exit 125\n{boot}"
        f"{byhand.ssh(base)} {shlex.quote(test)} >{folder}/ktap\n{byhand.end(base)}"
        f"! grep -q '^not ok' {folder}/ktap\n"
    )


def by_hand(base: JobResult, folder: Path, cache: Cache, made: list[str], start: str) -> float:
    """Let git bisect run do it; return seconds a step."""
    tree = folder / "tree"
    program = folder / "step.sh"
    program.write_text(script(base, folder, cache))
    program.chmod(0o755)
    repository.git(tree, "checkout", "-q", made[-1])
    subprocess.run([str(program)], cwd=tree, check=False)  # warm up: its tree is moved away from the base
    (folder / "begins").unlink()
    repository.git(tree, "bisect", "start", made[-1], start)
    began = time.monotonic()
    said = repository.git(tree, "bisect", "run", program, offline=False)  # the script reaches its guest
    seconds = time.monotonic() - began
    assert f"{made[2 * len(made) // 3]} is the first bad commit" in said, said
    return seconds / len((folder / "begins").read_text().splitlines())


def by_wpci(folder: Path, tree: Path, made: list[str], start: str) -> float:
    """Let wpci do it; return the mean of its steps."""
    series = folder / "series"
    repository.git(tree, "format-patch", "-q", "-o", series, f"{start}..{made[-1]}")
    argv = [sys.executable, "-m", "orchestrator.cli", "bisect", "--series", str(series), "--symptom", TEST]
    subprocess.run([*argv, "--runs", "1", "--no-ahead", "--results", str(folder / "r")], cwd=ROOT, check=True)
    state = json.loads((folder / "r" / "last" / "state.json").read_text())
    return statistics.mean(float(step["seconds"]) for step in state["steps"] if step["role"] == "search")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=16)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    options = parser.parse_args()
    base = next(j for j in byhand.jobs(options.results) if j.side is Side.BASE)
    cache = Cache.default()
    assert base.products.tree
    start = base.products.tree.commit
    with tempfile.TemporaryDirectory(dir=cache.root) as scratch:
        folder = Path(scratch)
        tree = folder / "tree"
        repository.git(folder, "clone", "-q", "--shared", "--no-checkout", base.products.tree.repository, tree)
        work = cache.path("work", base.tree, "base")
        shutil.copytree(work, tree, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))
        repository.git(tree, "reset", "-q", "--hard", start)
        word = f"n{time.time_ns()}"
        hand, ours = (commits(tree, start, word + side, options.patches) for side in ("h", "w"))
        theirs_s = by_hand(base, folder, cache, hand, start)
        ours_s = by_wpci(folder, tree, ours, start)
    print(f"wpci bisect, a step             {ours_s:6.1f} s")
    print(f"git bisect run script, a step   {theirs_s:6.1f} s")
    print(f"ratio                           {ours_s / theirs_s:6.2f}")


if __name__ == "__main__":
    main()
