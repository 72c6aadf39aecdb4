"""`wpci bisect --program` against `git bisect run` with a shell script, on the same commits of a kernel tree.

    python benchmarks/bisection.py --tree ~/linux [--base REV] [--commits 30] [--flaky 10]

Puts ``--commits`` commits on a base, twice and alike but for their words (what the compiler cache learned from the one
must not help the other): each changes a file in mm/, and two thirds down the line one makes mincore() say that nothing
is in memory. The reproducer is a C program. The script makes with wpci's own command line in a copy of its work tree,
boots with the same QEMU command line and runs the program over ssh. wpci takes one run a step; both ends, and the
verification that it adds, are left out. Prints seconds a step.

With ``--flaky`` the reproducer shows the fault in one of three runs, and both look for it that many times, wpci with
its defaults; the script keeps its kernels. Prints how many answers are right.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import byhand

from orchestrator.host.cache import Cache
from orchestrator.trees import repository

FAULT = ("mm/mincore.c", "*vec = 1;", "*vec = 0;")
FILES = ("mempool", "mlock", "msync", "mprotect", "mremap", "madvise", "swapfile", "rmap", "vmscan", "truncate")
PROGRAM = """\
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

int main(void)
{
	unsigned char vec = 0, dice = 0;
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(page, 1, 4096);
	if (mincore(page, 4096, &vec) || getrandom(&dice, 1, 0) != 1)
		return 125;
	return vec & 1 || dice %% %d ? 0 : 1;
}
"""


@dataclass(frozen=True)
class Line:
    """A clone of the tree with the commits on its base."""

    tree: Path
    start: str
    commits: tuple[str, ...]

    @property
    def culprit(self) -> str:
        """Return the commit with the fault."""
        return self.commits[2 * len(self.commits) // 3]


def line(source: Path, start: str, tree: Path, word: str, count: int) -> Line:
    """Clone the source and put the commits on a base that no cache knows."""
    repository.git(tree.parent, "clone", "-q", "--shared", source, tree)
    repository.git(tree, "checkout", "-q", "-B", "line", start)
    start = byhand.change(tree, FILES[0], word)
    made = []
    for number in range(count):
        if number == 2 * count // 3:
            fault = tree / FAULT[0]
            fault.write_text(fault.read_text().replace(*FAULT[1:]))
        made.append(byhand.change(tree, FILES[number % len(FILES)], f"{word}_{number}"))
    return Line(tree, start, tuple(made))


def compiled(folder: Path, name: str, one_of: int) -> tuple[Path, Path]:
    """Write the reproducer and compile it; return its source and the static executable."""
    source = folder / f"{name}.c"
    source.write_text(PROGRAM % one_of)
    subprocess.run(["gcc", "-static", "-o", folder / name, source], check=True)
    return source, folder / name


def by_hand(folder: Path, commits: Line, step: Path) -> tuple[float, bool]:
    """Let git bisect run do it; return seconds a step, and whether its answer is right."""
    (folder / "begins").unlink(missing_ok=True)
    repository.git(commits.tree, "bisect", "start", commits.commits[-1], commits.start)
    began = time.monotonic()
    done = subprocess.run(["git", "bisect", "run", step], cwd=commits.tree, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    repository.git(commits.tree, "bisect", "reset")
    right = f"{commits.culprit} is the first bad commit" in done.stdout
    return seconds / len((folder / "begins").read_text().splitlines()), right


def by_wpci(folder: Path, commits: Line, program: Path, *options: str) -> tuple[float, bool]:
    """Let wpci do it; return the mean of its steps, and whether its answer is right."""
    ends = ("--good", commits.start, "--bad", commits.commits[-1])
    code = byhand.wpci(folder, "bisect", "--tree", commits.tree, *ends, "--program", program, *options)
    last = folder / "r" / "last"
    steps = json.loads((last / "state.json").read_text())["steps"]
    conclusive = code == 0 and f"- commit: `{commits.culprit}`" in (last / "summary.md").read_text()
    return statistics.mean(float(s["seconds"]) for s in steps if s["role"] == "search"), conclusive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--base", default="HEAD")
    parser.add_argument("--commits", type=int, default=30)
    parser.add_argument("--flaky", type=int, default=0)
    options = parser.parse_args()
    source = options.tree.absolute()
    start = repository.git(source, "rev-parse", f"{options.base}^{{commit}}")
    with tempfile.TemporaryDirectory(dir=Cache.default().root) as scratch:
        folder = Path(scratch)
        (folder / "kernels").mkdir()
        word = f"n{time.time_ns()}"
        ours = line(source, start, folder / "ours", word + "w", options.commits)
        theirs = line(source, start, folder / "theirs", word + "h", options.commits)
        sure, binary = compiled(folder, "sure", 1)
        repository.git(ours.tree, "checkout", "-q", ours.start)
        byhand.wpci(folder, "run", "--tree", ours.tree, "--base", "HEAD", "--program", sure)
        (base,) = byhand.jobs(folder / "r")
        byhand.copy_work_tree(base, theirs.tree)
        repository.git(theirs.tree, "checkout", "-q", "--force", theirs.commits[-1])
        step = folder / "step.sh"
        step.write_text(byhand.step(base, folder, theirs.tree, binary))
        step.chmod(0o755)
        subprocess.run([step], cwd=theirs.tree, check=False)  # its tree is moved away from the base, as wpci's ends do
        theirs_s, theirs_right = by_hand(folder, theirs, step)
        ours_s, ours_right = by_wpci(folder, ours, sure, "--runs", "1", "--no-ahead")
        print(f"wpci bisect, a step             {ours_s:6.1f} s   right: {ours_right}")
        print(f"git bisect run script, a step   {theirs_s:6.1f} s   right: {theirs_right}")
        print(f"ratio                           {ours_s / theirs_s:6.2f}", flush=True)
        flaky, binary = compiled(folder, "flaky", 3)
        step.write_text(byhand.step(base, folder, theirs.tree, binary))
        right = [0, 0]
        for number in range(1, options.flaky + 1):
            right[0] += by_wpci(folder, ours, flaky)[1]
            right[1] += by_hand(folder, theirs, step)[1]
            print(f"flaky, right answers: wpci {right[0]}, the script {right[1]} of {number}", flush=True)


if __name__ == "__main__":
    main()
