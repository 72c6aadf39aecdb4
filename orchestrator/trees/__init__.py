"""Where kernel trees come from: a Debian package, a tarball, git, a folder, another machine.

Whatever a source is, it ends as a commit in a git repository of the cache, so that apply, diff and bisect work alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.config.sources import BundleSource, DebianSource, GitSource, PathSource, Source, TarballSource
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.trees import bundle, debian, git, path, tarball

_PROVIDERS: dict[type[Any], Callable[[Any, str, Cache, Progress, Deadline], Tree]] = {
    DebianSource: debian.fetch,
    TarballSource: tarball.fetch,
    GitSource: git.fetch,
    PathSource: path.fetch,
    BundleSource: bundle.fetch,
}


def fetch(source: Source, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    """Return a source as a tree; ``name`` is the tree's in the configuration. No network when it is in the cache.

    Raises UserError (no such version, ref or folder), InfraError (network, tool, disk), KernelError (bad archive).
    """
    return _PROVIDERS[type(source)](source, name, cache, progress, deadline)
