"""Which commit of a real history a series was made on, where only its index lines say it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config.schema import TreeConfig
from orchestrator.config.sources import PathSource
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.progress import SILENT
from orchestrator.series import base, series
from orchestrator.trees import fetch
from tests.fakes import trees

Place = Callable[[str], base.Base]


@pytest.fixture
def place(where: Path, cache: Cache) -> Place:
    """Return the base of a series in the tree ``where``."""

    def found(mbox: str) -> base.Base:
        tree = TreeConfig(source=PathSource(provider="path", path=where))
        return base.find(
            series.parse("s", [("p.mbox", mbox.encode())]),
            {"mine": tree},
            None,
            lambda source, name: fetch(source, name, cache, SILENT, Deadline.after(60)),
        )

    return found


def change(where: Path, number: int, name: str = "mm/memory.c") -> str:
    """Change one line of a file and return the commit."""
    trees.edit(where, name, number, f"int changed_{number};")
    return trees.commit(where, f"change {number} of {name}")


def patch(where: Path, *names: str) -> str:
    """Return a patch on what is checked out, which stays as it is."""
    for name in names or ("mm/shmem.c",):
        trees.edit(where, name, 50, "int patch;")
    trees.commit(where, "mm: the patch")
    text = trees.git(where, "format-patch", "-1", "--stdout", "--full-index")
    trees.git(where, "reset", "--quiet", "--hard", "HEAD~1")
    return f"{text}\n"


def test_the_newest_commit_before_the_file_changed_is_taken(where: Path, place: Place) -> None:
    change(where, 1)
    newest = change(where, 2)
    mbox = patch(where)
    assert place(mbox).commit == newest and not place(mbox).notes
    change(where, 90, "mm/shmem.c")
    change(where, 3)
    change(where, 91, "mm/shmem.c")
    got = place(mbox)
    assert (got.commit, got.moved) == (newest, True)


def test_before_a_merge_it_is_the_newest_of_the_line_that_was_merged_into(where: Path, place: Place) -> None:
    trees.git(where, "branch", "-M", "main")
    mbox = patch(where)
    trees.git(where, "checkout", "--quiet", "-b", "topic")
    change(where, 90, "mm/shmem.c")
    trees.git(where, "checkout", "--quiet", "main")
    newest = change(where, 2)
    trees.git(where, "merge", "--quiet", "--no-ff", "-m", "merge topic", "topic")
    assert place(mbox).commit == newest


def test_what_was_only_on_a_merged_branch_is_found_there(where: Path, place: Place) -> None:
    trees.git(where, "branch", "-M", "main")
    trees.git(where, "checkout", "--quiet", "-b", "topic")
    change(where, 90, "mm/shmem.c")
    newest = change(where, 2)
    mbox = patch(where)
    change(where, 91, "mm/shmem.c")
    trees.git(where, "checkout", "--quiet", "main")
    change(where, 30)
    trees.git(where, "merge", "--quiet", "--no-ff", "-m", "merge topic", "topic")
    assert place(mbox).commit == newest


def test_the_last_commit_of_a_branch_is_found_where_the_merge_brought_another_file(where: Path, place: Place) -> None:
    trees.git(where, "branch", "-M", "main")
    trees.git(where, "checkout", "--quiet", "-b", "topic")
    change(where, 90, "mm/shmem.c")
    trees.edit(where, "Makefile", 1, "VERSION = 6")
    newest = trees.commit(where, "another file")
    mbox = patch(where, "mm/shmem.c", "mm/memory.c")
    trees.git(where, "checkout", "--quiet", "main")
    change(where, 30)
    trees.git(where, "merge", "--quiet", "--no-ff", "-m", "merge topic", "topic")
    assert place(mbox).commit == newest


def test_index_lines_that_fit_no_tree_are_what_the_run_names(where: Path, place: Place) -> None:
    change(where, 1, "mm/shmem.c")
    mbox = patch(where)
    trees.git(where, "reset", "--quiet", "--hard", "HEAD~1")
    got = place(mbox)
    assert got.how == "the configured one, for no tree has all of its files as its index lines name them"
    assert got.notes == ("tree mine has 0 of 1 files as the series expects",)
    new = "From: a@b\nSubject: [PATCH] x\n\n---\n--- /dev/null\n+++ b/mm/x.c\n@@ -0,0 +1 @@\n+x\n"
    assert place(new).how == "the configured one, for nothing in the series says where it belongs"
