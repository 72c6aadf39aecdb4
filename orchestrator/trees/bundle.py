"""The ``bundle`` provider: one commit without its history, as a git pack in a file. So trees come to other machines."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.config.sources import BundleSource
from orchestrator.errors import InfraError
from orchestrator.host import process, scratch
from orchestrator.host.cache import Cache
from orchestrator.host.disk import new_directory, write_atomic
from orchestrator.host.process import CommandFailed, Deadline
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.trees import repository


def folder(name: str) -> tuple[str, ...]:
    """Return where in a cache the commits of a tree are that came as bundles: together, so a work tree can move."""
    return ("sources", f"bundle-{name}", "git")


def fetch(source: BundleSource, name: str, cache: Cache, progress: Progress, deadline: Deadline) -> Tree:
    """Return the commit of a bundle, in the repository of its tree. Raises InfraError where the file is none."""
    place = cache.path(*folder(name))
    with cache.lock(f"source-bundle-{name}", progress):
        repository.remove_scratch(place)
        cache.touch(place.parent)
        try:
            if not place.is_dir():
                with new_directory(place) as made:
                    repository.create(made)
            if repository.commit_of(place, _reference(source.commit)) is None:
                _unpack(source, place, deadline)
        except (CommandFailed, OSError) as error:
            raise InfraError(f"{source.path} is no bundle of {source.commit[:12]}: {error}") from error
    return repository.tree_at(place, source.commit, source.label or f"{name} {source.commit[:12]}", source.notes)


def _reference(commit: str) -> str:
    return f"refs/fetched/{commit}"


def _unpack(source: BundleSource, place: Path, deadline: Deadline) -> None:
    """Add a commit to a repository. Its name comes last: what a killed run left of it is written over."""
    final = place / "objects" / "pack" / f"pack-{source.commit}.pack"
    final.parent.mkdir(exist_ok=True)
    with scratch.folder(place) as folder:
        pack = folder / final.name
        shutil.copyfile(source.path, pack)
        repository.git(place, "index-pack", str(pack), deadline=deadline)
        for suffix in (".pack", ".rev", ".idx"):  # git takes a pack for there once it has an index
            if pack.with_suffix(suffix).exists():
                pack.with_suffix(suffix).replace(final.with_suffix(suffix))
    _forget_parents(source.commit, place / "shallow")
    repository.git(place, "update-ref", _reference(source.commit), source.commit)


def _forget_parents(commit: str, shallow: Path) -> None:
    """Note that the parents of a commit are not here and not to be looked for (gitrepository-layout(5))."""
    known = shallow.read_text().split() if shallow.exists() else []
    write_atomic(shallow, "".join(f"{one}\n" for one in sorted({*known, commit})))


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
