"""wpci bisect as a user runs it: real git histories of a fake kernel tree, guests that do what their kernel says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.stage.test_run import Bench

GUEST = "guest:"
"""What the fake QEMU plays: a guest that comes up, and does what its kernel says."""


class History(Bench):
    """A tree with a history."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.configure(GUEST)

    def step(self, subject: str, *, plays: str | None = None, name: str = "mm/swap.c", broken: bool = False) -> str:
        """Commit a change of a file; ``plays`` puts a string into the kernel. Return the commit."""
        path = self.folder / "tree" / name
        text = path.read_text()
        if plays is not None:
            text += f'const char play{len(text)}[] = "play: {plays}";\n'
        text += f"int step{len(text)};\n"
        if broken:
            text += "this does not compile\n"
        path.write_text(text)
        self.git("add", "-fu")
        self.commit(subject)
        return self.git("rev-parse", "HEAD")

    def mend(self, subject: str) -> str:
        """Commit the file that the last commit broke as it was before."""
        self.git("checkout", "-q", "HEAD~1", "--", ".")
        self.step_touch()
        self.commit(subject)
        return self.git("rev-parse", "HEAD")

    def step_touch(self) -> None:
        path = self.folder / "tree" / "mm" / "swap.c"
        path.write_text(path.read_text() + f"int mended{len(path.read_text())};\n")
        self.git("add", "-fu")

    def bisect(self, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            self.argv("bisect", *options), cwd=self.folder, env=self.environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    @property
    def last(self) -> Path:
        return (self.folder / "results" / "last").resolve()

    def state(self) -> dict[str, Any]:
        return json.loads((self.last / "state.json").read_text())

    def steps(self) -> list[tuple[str, str]]:
        return [(s["role"], s["term"]) for s in self.state()["steps"]]

    def guests(self) -> list[str]:
        """Every guest that was booted, by the folder it left."""
        return sorted(str(p.parent.relative_to(self.last)) for p in self.last.glob("jobs/*/boot-*/qemu.log"))


@pytest.fixture
def bench(tmp_path: Path) -> History:
    return History(tmp_path)


def test_a_fault_in_twenty_commits_is_found_and_verified(bench: History) -> None:
    first = bench.git("rev-parse", "HEAD")
    for number in range(9):
        bench.step(f"mm: step {number}")
    bench.git("checkout", "-q", "-b", "side", "HEAD~3")
    for number in range(4):
        bench.step(f"drivers: side {number}", name="drivers/toy.c")
    bench.git("checkout", "-q", "main")
    bench.git("merge", "-q", "--no-edit", "side")
    culprit = bench.step("mm: the culprit", plays="not-ok T01", name="mm/memory.c")
    for number in range(5):
        bench.step(f"mm: later {number}")
    before = bench.git("rev-parse", "HEAD"), bench.git("status", "--porcelain"), bench.git("for-each-ref")
    code, output = bench.bisect("--tree", "tree", "--good", first, "--bad", "main", "--symptom", "T01")
    assert code == 0, output
    assert f"conclusive: the first bad commit is {culprit[:12]} mm: the culprit" in output
    assert "Dev <dev@example.org>" in output and "the tip without it" in output
    roles = [role for role, _ in bench.steps()]
    assert roles[:2] == ["bad end", "good end"] and roles[-3:] == ["culprit again", "its parent", "tip without it"]
    assert (bench.git("rev-parse", "HEAD"), bench.git("status", "--porcelain"), bench.git("for-each-ref")) == before
    bench.git("bisect", "replay", str(bench.last / "bisect.log"))
    assert f"first bad commit: [{culprit}]" in bench.git("bisect", "log")
