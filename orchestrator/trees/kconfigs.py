"""What the Kconfig files of a commit say, read from git: no tree is checked out."""

from __future__ import annotations

from orchestrator.model import Tree
from orchestrator.trees import repository


def knows(tree: Tree, symbol: str) -> bool:
    """Whether the base of a tree, before any series, has a symbol."""
    entry = rf"^[[:space:]]*(menu)?config[[:space:]]+{symbol}[[:space:]]*$"
    return repository.asks(tree.repository, "grep", "-qE", entry, tree.base, "--", "*Kconfig*") is not None
