"""What fetching tells of its progress: apt's and git's own figures, the size of a copy, and the words of a failure."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.config.sources import DebianSource, GitSource
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import CommandFailed, Deadline
from orchestrator.trees import debian, fetch, progress_lines
from tests.fakes import mirror as source_mirror
from tests.fakes import trees
from tests.fakes.mirror import PACKAGE, SUITE


@dataclass
class Figures:
    """A Progress that remembers the figures."""

    seen: dict[str, list[tuple[float, float | None]]] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Remember nothing."""

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        self.seen.setdefault(what, []).append((done, total))

    def ends_well(self, what: str) -> bool:
        """Whether these figures rise to their total."""
        values = [done for done, _ in self.seen[what]]
        return values == sorted(values) and values[-1] == self.seen[what][-1][1]


def test_apt_tells_of_its_downloads_in_percent(tmp_path: Path) -> None:
    figures = Figures()
    with source_mirror.mirror(tmp_path) as mirror:
        mirror.publish("1.0.1-1")
        source = DebianSource(provider="debian", package=PACKAGE, suite=SUITE, version="1.0.1-1")
        etc = mirror.host(tmp_path / "etc")
        debian.fetch(source, "fake", Cache(tmp_path / "cache"), figures, Deadline.after(120), etc=etc)
    assert {f"lists of {SUITE}", f"download {PACKAGE} 1.0.1-1"} <= set(figures.seen)
    assert figures.seen[f"download {PACKAGE} 1.0.1-1"][-1] == (100.0, 100.0)


def test_git_tells_of_a_fetch(tmp_path: Path) -> None:
    where = trees.git_tree(tmp_path / "linux")
    figures = Figures()
    source = GitSource(provider="git", url=f"file://{where}", ref="HEAD")
    fetch(source, "fake", Cache(tmp_path / "cache"), figures, Deadline.after(60))
    assert figures.ends_well(f"counting objects of file://{where}")


def test_a_copy_tells_of_its_size(tmp_path: Path) -> None:
    where = trees.git_tree(tmp_path / "linux")
    figures = Figures()
    source = GitSource(provider="git", url=str(where), ref="HEAD")
    fetch(source, "fake", Cache(tmp_path / "cache"), figures, Deadline.after(60))
    assert figures.ends_well(f"copy {where}")


def run(script: str, tell: progress_lines.Teller, seconds: float = 60) -> str:
    argv = [sys.executable, "-uc", script]
    return progress_lines.run(argv, tell, env=process.minimal_environment(), deadline=Deadline.after(seconds))


def test_lines_come_whole_however_they_are_cut(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "import os\nfor byte in b'one\\rtwo\\r\\nthree\\n\\xff end': os.write(1, bytes([byte]))"
    assert run(script, lines.append) == "one\ntwo\nthree\n\N{REPLACEMENT CHARACTER} end"
    assert [line for line in lines if line] == ["one", "two", "three", "\N{REPLACEMENT CHARACTER} end"]


def test_a_failure_keeps_what_was_said() -> None:
    with pytest.raises(CommandFailed, match=r"exit code 3: .*: fatal: no way") as fault:
        run("import sys; print('E: first'); sys.stderr.write('fatal: no way\\n'); sys.exit(3)", lambda _: None)
    assert "E: first" in fault.value.output and fault.value.returncode == 3


def test_a_command_that_hangs_is_ended_by_its_deadline() -> None:
    with pytest.raises(CommandFailed, match="out of time"):
        run("import time; time.sleep(3600)", lambda _: None, seconds=0.5)
