"""The lines that a series changes, asked of git."""

from __future__ import annotations

from pathlib import Path

from orchestrator.coverage import changed
from orchestrator.model import Tree
from tests.fakes import trees


def test_of_a_file_that_is_renamed_those_lines_count_that_are_new(tmp_path: Path) -> None:
    where = trees.git_tree(tmp_path / "tree")
    base = trees.git(where, "rev-parse", "HEAD")
    (where / "mm" / "shmem.c").rename(where / "mm" / "tmpfs.c")
    new = where / "mm" / "tmpfs.c"
    new.write_text(new.read_text().replace("int value_042;", "int value_042 = 1;"))
    (where / "mm" / "memory.c").rename(where / "mm" / "pages.c")
    trees.git(where, "add", "--force", "--all")
    trees.git(where, "commit", "--quiet", "--message", "mm: call it by its name")
    tree = Tree(where, trees.git(where, "rev-parse", "HEAD"), base, "c", "toy")
    assert changed.numbers(changed.read(tree)) == {"mm/tmpfs.c": (43,)}
