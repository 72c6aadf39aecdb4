"""The ``bundle`` provider: one commit without its history, as a git pack in a file. So trees come to other machines."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.config.sources import BundleSource
from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.disk import new_directory
from orchestrator.host.process import CommandFailed, Deadline
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.trees import repository


def folder(commit: str) -> tuple[str, ...]:
    """Return where in a cache the repository of a commit that came as a bundle is."""
    return ("sources", f"bundle-{commit}", "git")


def fetch(source: BundleSource, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    """Return the commit of a bundle, out of a repository of its own. Raises InfraError where the file is none."""
    place = cache.path(*folder(source.commit))
    with cache.lock(f"source-bundle-{source.commit}", progress):
        repository.remove_scratch(place)
        if not place.is_dir():
            try:
                with new_directory(place) as scratch:
                    _unpack(source, scratch, deadline)
            except (CommandFailed, OSError) as error:
                raise InfraError(f"{source.path} is no bundle of {source.commit[:12]}: {error}") from error
    return repository.tree_at(place, source.commit, source.label or f"{name} {source.commit[:12]}", source.notes)


def _unpack(source: BundleSource, place: Path, deadline: Deadline) -> None:
    repository.create(place)
    (place / "shallow").write_text(f"{source.commit}\n")  # its parents are not here, and nobody is to look for them
    pack = place / "objects" / "pack" / f"pack-{source.commit}.pack"
    pack.parent.mkdir(exist_ok=True)
    shutil.copyfile(source.path, pack)
    repository.git(place, "index-pack", str(pack), deadline=deadline)
    repository.git(place, "update-ref", f"refs/fetched/{source.commit}", source.commit)


def write(tree: Tree, to: Path) -> None:
    """Write the commit of a tree and all files of it as a bundle. Raises CommandFailed."""
    listed = repository.git(tree.repository, "rev-list", "--objects", "--no-walk", "--no-object-names", tree.commit)
    argv: list[str | Path] = ["git", "-C", tree.repository, "pack-objects", "--quiet", str(to.with_suffix(""))]
    printed = process.run(argv, env=repository.environment(), input_text=f"{listed}\n", offline=True).stdout
    made = to.with_name(f"{to.with_suffix('').name}-{printed.strip()}")
    made.with_suffix(".pack").replace(to)
    for left in (".idx", ".rev"):
        made.with_suffix(left).unlink(missing_ok=True)


def source_of(tree: Tree, path: Path) -> BundleSource:
    """Return the source by which a tree that was written to ``path`` is the same tree elsewhere."""
    return BundleSource(provider="bundle", path=path, commit=tree.commit, label=tree.label, notes=tree.notes)
