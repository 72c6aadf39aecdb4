"""What a series names as applied before it, and which of that a tree does not have."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.errors import InfraError
from orchestrator.host import scratch
from orchestrator.model import Tree
from orchestrator.series.mail import Prerequisite
from orchestrator.series.series import Series
from orchestrator.text.wording import some
from orchestrator.trees import repository

MOST_COMMITS = 500
"""How far back the history of a tree is searched for the patches that a series names."""


def missing(tree: Tree, series: Series, messages: Collection[str]) -> tuple[Prerequisite, ...]:
    """Return what the tree lacks of what a series names. Where that cannot be seen (``change-id``), it lacks it.

    ``messages`` are the ids of the mails that were applied to the tree.
    """
    if not series.prerequisites:
        return ()
    there = _patch_ids(tree) if any(each.kind == "patch-id" for each in series.prerequisites) else set()
    return tuple(each for each in series.prerequisites if each.value not in there and each.value not in messages)


def fault(series: Series, lacking: tuple[Prerequisite, ...], why: Exception) -> InfraError:
    """Return the fault of a series that does not apply, and names patches that are not there."""
    names = some([str(each) for each in lacking], most=3)
    return InfraError(
        f"series {series.name} is made for a tree with other patches on it, which are not here ({names}), so that "
        f"nothing is known about it: {why}",
        log=getattr(why, "log", None),
    )


def _patch_ids(tree: Tree) -> set[str]:
    """Return the ids of the last patches of a tree, as ``git format-patch --base`` computes them."""
    with scratch.folder() as folder:
        file = folder / "log"
        recent = (f"-n{MOST_COMMITS}", "--min-parents=1", "--max-parents=1", "--full-index", "--no-renames")
        repository.git(tree.repository, "log", "-p", "--format=commit %H", *recent, f"--output={file}", tree.commit)
        listed = repository.git(tree.repository, "patch-id", "--stable", input_text=file.read_bytes())
    return {line.split()[0] for line in listed.splitlines() if line}
