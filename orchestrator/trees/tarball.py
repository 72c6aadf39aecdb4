"""The ``tarball`` provider: a packed tree by URL or file, and the sha256 that it must have."""

from __future__ import annotations

from pathlib import Path

from orchestrator.config.sources import TarballSource
from orchestrator.errors import UserError
from orchestrator.host.cache import Cache
from orchestrator.host.disk import new_directory
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.text import textfile
from orchestrator.trees import archive, network, repository


def fetch(source: TarballSource, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    """Return the tarball's tree as one commit, whose id depends on the content alone.

    tar, plain or packed with gzip, bzip2 or xz; its single top folder is taken off.
    """
    place = archive.place(cache, f"tarball-{source.sha256[:16]}")
    label = source.url.rstrip("/").rsplit("/", 1)[-1]
    with cache.lock(f"source-{source.sha256[:16]}", progress):
        if not place.is_dir():
            _import(source, place, cache, progress, deadline)
    commit = repository.git(place, "rev-parse", "--verify", archive.BRANCH)
    return repository.tree_at(place, commit, f"{name} {label}")


def _import(source: TarballSource, place: Path, cache: Cache, progress: Progress, deadline: Deadline) -> None:
    remote = source.url.startswith(("http://", "https://"))
    packed = network.download(source.url, source.sha256, cache, progress, deadline) if remote else _local(source)
    repository.remove_scratch(place)
    with new_directory(place) as scratch, packed.open("rb") as stream:
        message = f"tarball {source.sha256}"
        archive.import_tar(stream, scratch, message, progress=progress, deadline=deadline)
    if remote:
        packed.unlink()


def _local(source: TarballSource) -> Path:
    packed = textfile.expanded(source.url.removeprefix("file://"))
    if not packed.is_file():
        raise UserError(f"{packed}: no such tarball")
    if (actual := network.sha256_of(packed)) != source.sha256:
        raise UserError(f"{packed} has sha256 {actual}, not {source.sha256}")
    return packed
