"""Where the tree of a job is checked out: its own place for base and patched, kept between runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.model import Tree
from orchestrator.pipeline.context import Workspace
from orchestrator.trees import checkout


def work_tree(name: str, place: str, workspace: Workspace) -> Path:
    """Return where a tree is checked out: base and patched each have their own place, kept between runs."""
    return workspace.cache.path("work", name, place)


@contextlib.contextmanager
def checked_out(tree: Tree, name: str, place: str, workspace: Workspace) -> Iterator[Path]:
    """Check a tree out in its place, and hold it still against other runs inside the block."""
    where = work_tree(name, place, workspace)
    with workspace.cache.lock(f"work-{name}-{place}", workspace.progress):
        checkout.checkout(tree, where, workspace.progress)
        yield where
