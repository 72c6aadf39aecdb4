"""What stands before the names of a diff: git's ``a/`` and ``b/``, a folder's name, or nothing (pure).

``git diff --no-prefix`` and quilt's ``-p0`` write names as the tree has them, ``diff -u`` of two folders and quilt's
``-p1`` put the name of a folder before them. Which it is, the tree itself says: the names must be in it.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.series import diffs
from orchestrator.series.diffs import Damaged, Names

USUAL = 1
"""Components that ``git am`` takes off: ``a/`` and ``b/``."""

IsThere = Callable[[str], bool]
"""Whether the tree has a file, or a folder, of that name."""


class Ambiguous(ValueError):
    """The names are in the tree with and without their first component."""


def level(diff: str, there: IsThere) -> int:
    """Return how many components of each name are not the tree's: 1 for git's own, 0 where there are none.

    Names that fit neither way are left to git, which says what is wrong. Raises Ambiguous.
    """
    if is_usual(diff):
        return USUAL
    files = diffs.names_of(diff)
    fitting = [count for count in (0, 1) if all(_fits(file, count, there) for file in files)]
    if len(fitting) == 2 and not all(name.startswith("./") for file in files for name in file.all):
        raise Ambiguous(f"the tree has {files[0].all[0]} with and without its first folder: write it with a/ and b/")
    return fitting[-1] if fitting else USUAL


def is_usual(diff: str) -> bool:
    """Whether every name has git's ``a/`` or ``b/`` before it. A damaged diff is left to git."""
    try:
        return all(name.startswith(("a/", "b/")) for file in diffs.names_of(diff) for name in file.all)
    except Damaged:
        return True


def taken_off(diff: str) -> str:
    """Return the first components of the names, for people: ``linux-5.10.orig/ and linux-5.10/``."""
    files = diffs.names_of(diff)
    names = [*(file.old for file in files), *(file.new for file in files)]
    return " and ".join(dict.fromkeys(name.partition("/")[0] + "/" for name in names if name != diffs.NOWHERE))


def _fits(file: Names, count: int, there: IsThere) -> bool:
    stripped = [name.split("/", count)[count] for name in file.all if name.count("/") >= count]
    if len(stripped) < len(file.all) or (len(set(stripped)) > 1 and not file.is_renamed):
        return False
    name = stripped[0].removeprefix("./")
    if not file.is_new:
        return there(name)
    folder = name.rpartition("/")[0]
    return not there(name) and bool(folder) and there(folder)
