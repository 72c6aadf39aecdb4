"""Where trees come from, and how a series is loaded and applied."""

from __future__ import annotations

from orchestrator.cache import Cache
from orchestrator.config import DebianSource, Source
from orchestrator.model import Tree
from orchestrator.process import Deadline
from orchestrator.progress import Progress
from orchestrator.source import debian


def fetch(source: Source, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    """Return a tree as a commit in a repository of the cache."""
    assert isinstance(source, DebianSource)
    return debian.fetch(source, name, cache, progress, deadline)
