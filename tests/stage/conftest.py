"""A cache, a small kernel tree in git, and that tree as it is in the cache. A module may have others of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.host.cache import Cache
from orchestrator.model import Tree
from tests.fakes import trees


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return trees.git_tree(tmp_path / "linux")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def tree(where: Path, cache: Cache) -> Tree:
    return trees.fetched(where, cache)


@pytest.fixture
def terminal() -> Iterator[None]:
    """Let SIGHUP reach what a test starts, also where these tests run behind nohup, which has it ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
