"""Every kind of change that a commit can make, as a mail, a plain diff and a commit: the tree it gives is git's."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.host.cache import Cache
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.series import apply, series
from orchestrator.trees import repository
from tests.fakes import trees

ODD = 'mm/odd "name" ä.txt'


def renamed(where: Path) -> None:
    (where / "mm" / "shmem.c").rename(where / "mm" / "tmpfs.c")


def renamed_and_changed(where: Path) -> None:
    renamed(where)
    trees.edit(where, "mm/tmpfs.c", 3, "int changed;")


def linked(where: Path) -> None:
    (where / "link").unlink()
    (where / "link").symlink_to("mm/memory.c")


def made_a_link(where: Path) -> None:
    (where / "run.sh").unlink()
    (where / "run.sh").symlink_to("mm/memory.c")


def bytes_of_any_kind(where: Path) -> None:
    (where / "mm" / "blob").write_bytes(bytes(range(256)) * 20)


def a_mode_and_a_line(where: Path) -> None:
    (where / "run.sh").chmod(0o644)
    (where / "run.sh").write_text("#!/bin/sh\n:\n")


def new(text: str) -> Callable[[Path], object]:
    return lambda where: (where / "mm" / "new.c").write_text(text, newline="")


def carriage_returns(where: Path) -> None:
    (where / "mm" / "dos.c").write_bytes(b"int a;\r\nint b;\n\r\nint c;\r")


CHANGES: dict[str, Callable[[Path], object]] = {
    "an odd name": lambda where: (where / ODD).write_text("changed\n"),
    "a new file with blanks": lambda where: (where / "mm" / "a new one.c").write_text("int a;\n"),
    "a new empty file": lambda where: (where / "mm" / "empty.c").touch(),
    "a new folder": lambda where: trees.git(where, "mv", "mm/memory.c", "Makefile.old"),
    "a name in Latin-1": lambda where: Path(f"{where}/mm/\udce4.c").write_text("int a;\n"),
    "a name in other letters": lambda where: (where / "mm" / "файл.c").write_text("int a;\n"),
    "a mode": lambda where: (where / "run.sh").chmod(0o644),
    "a mode and a line": a_mode_and_a_line,
    "a rename": renamed,
    "a rename with a change": renamed_and_changed,
    "a removal": lambda where: (where / "mm" / "shmem.c").unlink(),
    "a link": linked,
    "a file made a link": made_a_link,
    "no newline at the end": lambda where: (where / "Makefile").write_text("VERSION = 6"),
    "a line of minuses": new("-- \n--- a/x\n+++ b/x\n---\nFrom a\n"),
    "lines that look like a diff": new("diff --git a/x b/x\nBinary files a/x and b/x differ\n"),
    "form feeds and other breaks": new("a\f\v\x1c\x85\u2028b\n"),
    "Latin-1": lambda where: (where / "mm" / "new.c").write_bytes(b"// \xe4\xf6\n"),
    "a NUL": lambda where: (where / "mm" / "new.c").write_bytes(b"a\0b\n"),
    "bytes of any kind": bytes_of_any_kind,
    "carriage returns": carriage_returns,
}  # fmt: skip


def change(where: Path, name: str) -> str:
    """Commit a change, go back, and return the content of the tree with it."""
    CHANGES[name](where)
    trees.commit(where, "mm: change")
    return trees.git(where, "rev-parse", "HEAD^{tree}")


def written(where: Path, *argv: str) -> bytes:
    done = subprocess.run(["git", "-C", where, *argv], env=repository.environment(), check=True, capture_output=True)
    return done.stdout


@pytest.mark.parametrize("form", ["commit", "mail", "mail with renames", "diff"])
@pytest.mark.parametrize("name", CHANGES)
def test_the_tree_is_that_of_the_commit(
    where: Path, tree: Tree, cache: Cache, tmp_path: Path, name: str, form: str
) -> None:
    content = change(where, name)
    mail = ("format-patch", "--stdout", "--binary", "--full-index", "--no-signature")
    if form == "commit":
        loaded = series.load_range(where, "HEAD~1..HEAD")
    else:
        argv = {"mail": (*mail, "--no-renames", "-1"), "mail with renames": (*mail, "-M", "-1"),
                "diff": ("diff", "--binary", "--full-index", "HEAD~1", "HEAD")}[form]  # fmt: skip
        (tmp_path / "one.patch").write_bytes(written(where, *argv))
        loaded = series.load(tmp_path / "one.patch")
    patched = apply.apply(tree, loaded, cache, SILENT)
    assert patched.content == content
    assert not any("names of its files" in note or "names its files" in note for note in patched.notes)


WAYS = {
    "attached": ("--attach",),
    "attached by configuration": ("-c", "format.attach=part"),
    "inline": ("--inline",),
    "of no commit": ("--zero-commit",),
    "without a number": ("--no-numbered",),
    "little context": ("-U1",),
    "without prefixes": ("--no-prefix",),
    "without prefixes by configuration": ("-c", "diff.noprefix=true"),
    "other prefixes": ("-c", "diff.mnemonicPrefix=true"),
    "another subject": ("-v3", "--subject-prefix=PATCH RFC net-next", "--start-number=1"),
    "of somebody else": ("--from=Other <other@example.org>",),
    "answers to answers": ("--thread=deep",),
    "rewritten": ("-B", "-C", "--find-copies-harder"),
    "a signature like a separator": ("--signature=From a Mon Sep 17 00:00:00 2001",),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_series_that_git_writes_in_another_way_is_the_same(
    where: Path, cache: Cache, tmp_path: Path, way: str
) -> None:
    tree = trees.fetched(where, cache)
    base = trees.git(where, "rev-parse", "HEAD")
    for name in ("a rename with a change", "a mode and a line", "bytes of any kind", "a link"):
        CHANGES[name](where)
        trees.commit(where, f"mm: [x86] {name} [PATCH] 1/9")
    before = WAYS[way] if WAYS[way][0] == "-c" else ()
    options = () if before else WAYS[way]
    mails = written(where, *before, "format-patch", "--stdout", "--binary", "--cover-letter", *options, f"{base}..")
    (tmp_path / "all.mbox").write_bytes(mails)
    patched = apply.apply(tree, series.load(tmp_path / "all.mbox"), cache, SILENT)
    assert patched.content == trees.git(where, "rev-parse", "HEAD^{tree}")
    listed = trees.git(where, "log", "--reverse", "--format=%s", f"{base}..")
    assert "\n".join(patched.patches) == listed
    assert trees.git(patched.repository, "log", "--reverse", "--format=%s", f"{base}..{patched.commit}") == listed
