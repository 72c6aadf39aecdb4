"""What a series names as applied before it, and which of that a tree does not have."""

from __future__ import annotations

import contextlib
import functools
import itertools
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
    """Return what the tree lacks of what a series names. Where that cannot be seen, it lacks it.

    ``messages`` are the ids of the mails that were applied to the tree.
    """
    if not series.prerequisites:
        return ()
    there: frozenset[str] = frozenset()
    if any(each.kind == "patch-id" for each in series.prerequisites):
        with contextlib.suppress(InfraError):  # a repository that lacks files of old commits: nothing is seen in it
            there = _patch_ids(tree.repository, tree.commit)
    return unmet(series.prerequisites, {*there, *messages})


def unmet(wanted: Sequence[Prerequisite], there: Collection[str]) -> tuple[Prerequisite, ...]:
    """Return what is not there. Pure.

    b4 writes the ids of its patches behind a ``change-id`` or ``message-id``: such a series is there if they all are.
    """
    missing: list[Prerequisite] = []
    for number, each in enumerate(wanted):
        behind = itertools.takewhile(lambda other: other.kind == "patch-id", wanted[number + 1 :])
        patches = [patch.value in there for patch in behind] if each.kind != "patch-id" else []
        if each.value not in there and not (patches and all(patches)):
            missing.append(each)
    return tuple(missing)


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
