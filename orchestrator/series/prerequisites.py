"""What a series names as applied before it, and which of that a tree does not have."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Sequence
from pathlib import Path

from orchestrator.errors import InfraError, PipelineError
from orchestrator.host import scratch
from orchestrator.model import Tree
from orchestrator.series.mail import Prerequisite
from orchestrator.series.series import Series
from orchestrator.text.wording import some
from orchestrator.trees import repository

MOST_COMMITS = 500
"""How far back the history of a tree is searched for the patches that a series names."""


def missing(tree: Tree, series: Series, messages: Collection[str]) -> tuple[Prerequisite, ...]:
    """Return what the tree lacks of what a series names. Where that cannot be seen (a ``change-id``), it lacks it.

    ``messages`` are the ids of the mails that were applied to the tree.
    """
    if not series.prerequisites:
        return ()
    there: frozenset[str] = frozenset()
    if any(each.kind == "patch-id" for each in series.prerequisites):
        with contextlib.suppress(InfraError):  # a repository that lacks files of old commits: nothing is seen in it
            there = _patch_ids(tree.repository, tree.commit)
    return tuple(each for each in series.prerequisites if each.value not in there and each.value not in messages)


def note(series: str, lacking: Sequence[str]) -> str:
    """Say what a tree lacks that a series is on."""
    return f"series {series} is made for a tree with other patches on it, which are not here ({some(lacking, most=3)})"


def fault(series: str, lacking: Sequence[str], why: PipelineError) -> InfraError:
    """Return the fault of a series that does not apply, or does not build, and names patches that are not there."""
    return InfraError(f"{note(series, lacking)}, so that nothing is known about it: {why}", log=why.log)


@functools.lru_cache(maxsize=16)
def _patch_ids(place: Path, commit: str) -> frozenset[str]:
    """Return the ids of the last patches of a tree, as ``git format-patch --base`` computes them."""
    with scratch.folder() as folder:
        file = folder / "log"
        recent = (f"-n{MOST_COMMITS}", "--min-parents=1", "--max-parents=1", "--full-index", "--no-renames")
        repository.git(place, "log", "-p", "--format=commit %H", *recent, f"--output={file}", commit)
        listed = repository.git(place, "patch-id", "--stable", input_text=file.read_bytes())
    return frozenset(line.split()[0] for line in listed.splitlines() if line)
