"""Tiny kernel trees for the tests of the source stage: real git, real tar, a dozen files."""

from __future__ import annotations

import tarfile
from pathlib import Path

from orchestrator.config.sources import PathSource
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.trees import fetch, repository

LINES = [f"int value_{number:03};" for number in range(100)]


class Notes:
    """A Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        """Remember the line."""
        self.said.append(text)

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Remember nothing: figures change from run to run."""


def git(where: Path, *arguments: str | Path, lazy: bool = False) -> str:
    """Run git as a kernel developer called Dev; ``lazy`` fetches what a partial clone lacks."""
    dev = {"GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "dev@example.org", "GIT_AUTHOR_DATE": "2001-02-03T04:05:06Z"}
    dev["GIT_NO_LAZY_FETCH"] = str(int(not lazy))
    argv: list[str | Path] = ["git", "-C", where, *arguments]
    return process.run(argv, env=repository.environment(dev)).stdout.strip()


def write_files(where: Path) -> None:
    """Write a tree whose ``.gitignore`` hides everything, as Debian's does."""
    (where / "mm").mkdir(parents=True)
    (where / ".gitignore").write_text("*.o\n/*\n!/debian/\n")
    (where / "Makefile").write_text("VERSION = 5\n")
    (where / "mm" / "shmem.c").write_text("\n".join(LINES) + "\n")
    (where / "mm" / "memory.c").write_text("\n".join(LINES) + "\n")
    (where / "mm" / 'odd "name" ä.txt').write_text("odd\n")
    (where / "mm" / "ignored.o").write_bytes(b"\x00\x01")
    (where / "link").symlink_to("mm/shmem.c")
    script = where / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)


def git_tree(where: Path) -> Path:
    """Make a git work tree with one commit of ``write_files``."""
    write_files(where)
    git(where, "init", "--quiet")
    git(where, "add", "--force", "--all")
    git(where, "commit", "--quiet", "-m", "base")
    return where


def packed(directory: Path, archive: Path) -> Path:
    """Pack a directory with ``linux-1.0/`` as the single top folder; the suffix says how."""
    kind = archive.suffix.removeprefix(".")
    with tarfile.open(archive, f"w:{kind}") as tar:  # type: ignore[call-overload]
        tar.add(directory, "linux-1.0")
    return archive


def edit(where: Path, name: str, line: int, text: str) -> None:
    """Replace one line of a file, counted from 1."""
    lines = (where / name).read_text().splitlines()
    lines[line - 1] = text
    (where / name).write_text("\n".join(lines) + "\n")


def commit(where: Path, subject: str) -> str:
    """Commit all that differs, ignored or not, and return the id."""
    git(where, "add", "--force", "--all")
    git(where, "commit", "--quiet", "-m", f"{subject}\n\nWhy.")
    return git(where, "rev-parse", "HEAD")


def three_patches(where: Path) -> Path:
    """Commit three patches on a tree, write them to ``<tree>-patches`` with a cover letter, and go back."""
    base = git(where, "rev-parse", "HEAD")
    edit(where, "mm/shmem.c", 10, "int first;")
    commit(where, "mm/shmem: change the first")
    edit(where, "mm/shmem.c", 50, "int second;")
    (where / "mm" / "new.c").write_text("int new;\n")
    commit(where, "mm/shmem: add a file")
    edit(where, "mm/memory.c", 90, "int third;")
    commit(where, "mm/memory: change the third")
    out = where.with_name(f"{where.name}-patches")
    git(where, "format-patch", "--quiet", "--cover-letter", f"--base={base}", "-o", out, f"{base}..")
    git(where, "reset", "--quiet", "--hard", base)
    return out


def fetched(where: Path, cache: Cache, *, dirty: bool = False) -> Tree:
    """Take a directory in with the path provider."""
    source = PathSource(provider="path", path=where, dirty=dirty)
    return fetch(source, "fake", cache, SILENT, Deadline.after(60))
