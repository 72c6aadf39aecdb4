"""From a kernel tree: a command in its guest, and a changed file to its verdict, against the same by hand and vng.

    python benchmarks/own_tree.py --tree ~/linux [--rounds 5] [--vng 'vng --disable-kvm' --vng-tree ~/linux-vng]

`wpci shell -- true` is held against boot, ssh and power-off by hand; `wpci run --program` of a tree with one changed
file in mm/ against make, boot and program by hand, both with the same command lines. With ``--vng`` (virtme-ng) also
`vng --run . -- true` in a tree that `vng --build` built: its own kernel, and no disk, network or suite in the guest.
All in one run, interleaved; prints medians.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import byhand

from orchestrator.host.cache import Cache
from orchestrator.trees import repository

PROGRAM = "int main(void)\n{\n\treturn 0;\n}\n"


def timed(argv: list[str], folder: Path) -> float:
    """Run a command that must succeed; return its seconds."""
    started = time.monotonic()
    subprocess.run(
        argv, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.monotonic() - started


def by_vng(command: str, tree: Path) -> float:
    """Run `true` in a guest of virtme-ng; return its seconds. Its own exit code is of no use where there is no udev."""
    started = time.monotonic()
    argv = [*shlex.split(command), "--verbose", "--run", ".", "--", "true"]
    done = subprocess.run(
        argv, cwd=tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert b"script exited with code 0" in done.stdout, done.stdout.decode(errors="replace")
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vng")
    parser.add_argument("--vng-tree", type=Path)
    options = parser.parse_args()
    source = options.tree.absolute()
    with tempfile.TemporaryDirectory(dir=Cache.default().root) as scratch:
        folder = Path(scratch)
        trees = {side: folder / side for side in ("ours", "theirs")}
        for tree in trees.values():
            repository.git(folder, "clone", "-q", "--shared", source, tree)
            byhand.change(tree, "msync", f"n{time.time_ns()}")  # a base that no cache knows
        program = folder / "true.c"
        program.write_text(PROGRAM)
        subprocess.run(["gcc", "-static", "-o", folder / "true", program], check=True)
        run = ("run", "--tree", trees["ours"], "--base", "HEAD", "--program", program)
        byhand.wpci(folder, *run)
        (base,) = byhand.jobs(folder / "r")
        byhand.copy_work_tree(base, trees["theirs"])
        repository.git(trees["theirs"], "reset", "-q", "--hard")
        step, boot = folder / "step.sh", folder / "boot.sh"
        step.write_text(byhand.step(base, folder, trees["theirs"], folder / "true"))
        boot.write_text(byhand.start(base, folder) + byhand.end(base))
        wpci = [sys.executable, "-m", "orchestrator.cli"]
        seconds: dict[str, list[float]] = defaultdict(list)
        guests: dict[str, Callable[[], float]] = {
            "wpci shell -- true": lambda: timed([*wpci, "shell", "--", "true"], trees["ours"]),
            "boot, ssh, power-off by hand": lambda: timed(["bash", str(boot)], folder),
        }
        if options.vng:
            guests["vng --run . -- true"] = lambda: by_vng(options.vng, options.vng_tree)
        for name in guests:
            guests[name]()  # warm up
        for number in range(options.rounds + 1):
            for name, guest in guests.items():
                seconds[name].append(guest())
            word = f"n{time.time_ns()}"
            byhand.change(trees["ours"], "mempool", word + "w")
            byhand.change(trees["theirs"], "mempool", word + "h")
            ours = timed([*wpci, *map(str, run), "--results", str(folder / "r")], folder)
            theirs = timed(["bash", str(step)], trees["theirs"])
            if number:  # the first change moves both from what was built before
                seconds["wpci run --program, one changed file"].append(ours)
                seconds["make, boot, program by hand"].append(theirs)
    for name, rounds in seconds.items():
        print(f"{name:38} {statistics.median(rounds):6.2f} s   {[round(x, 2) for x in rounds]}")


if __name__ == "__main__":
    main()
