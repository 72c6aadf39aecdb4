"""The bundle provider: commits that came as packs lie in one repository a tree, so that a work tree moves on."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.config.sources import BundleSource
from orchestrator.errors import InfraError
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.series import apply, series
from orchestrator.trees import bundle, checkout, fetch
from tests.fakes import trees

OLD = 1_000_000_000


@pytest.fixture
def theirs(tmp_path: Path) -> Cache:
    """Return the cache of the machine that the packs come to."""
    return Cache(tmp_path / "theirs")


@pytest.fixture
def linux(tmp_path: Path) -> Path:
    return trees.git_tree(tmp_path / "linux")


def packed(linux: Path, tmp_path: Path) -> BundleSource:
    """Return what is checked out as a source that travels."""
    tree = trees.fetched(linux, Cache(tmp_path / "ours"))
    path = tmp_path / f"{tree.commit}.pack"
    bundle.write(tree, path)
    return bundle.source_of(tree, path)


def two(linux: Path, tmp_path: Path) -> tuple[BundleSource, BundleSource]:
    """Return a commit and its child, which edits one file."""
    first = packed(linux, tmp_path)
    trees.edit(linux, "mm/shmem.c", 1, "int one;")
    trees.commit(linux, "one")
    return first, packed(linux, tmp_path)


def unpacked(source: BundleSource, cache: Cache, name: str = "fake") -> Tree:
    return fetch(source, name, cache, SILENT, Deadline.after(60))


def test_a_work_tree_moves_between_commits_and_only_what_differs_is_written(
    linux: Path, tmp_path: Path, theirs: Cache
) -> None:
    first, second = (unpacked(source, theirs) for source in two(linux, tmp_path))
    assert first.repository == second.repository
    where = theirs.path("work", "fake", "base")
    checkout.checkout(first, where, SILENT)
    files = [path for path in where.rglob("*.[chS]") if not path.is_symlink()]
    for path in files:
        os.utime(path, (OLD, OLD))
    checkout.checkout(second, where, SILENT)
    assert [path.name for path in files if path.stat().st_mtime != OLD] == ["shmem.c"]
    trees.git(where, "add", "--force", "--all")
    assert trees.git(where, "write-tree") == second.content


def test_a_commit_has_no_parents_there_and_takes_a_series(linux: Path, tmp_path: Path, theirs: Cache) -> None:
    first, second = two(linux, tmp_path)
    for source in (second, first):
        tree = unpacked(source, theirs)
        assert trees.git(tree.repository, "rev-list", tree.commit).split() == [source.commit]
    trees.git(linux, "checkout", "--quiet", first.commit)
    patched = apply.apply(unpacked(first, theirs), series.load(trees.three_patches(linux)), theirs, SILENT)
    assert len(trees.git(patched.repository, "rev-list", patched.commit).split()) == 4


def test_what_a_killed_run_left_is_written_over(linux: Path, tmp_path: Path, theirs: Cache) -> None:
    first, second = two(linux, tmp_path)
    place = unpacked(first, theirs).repository
    left = place / "objects" / "pack" / f"pack-{second.commit}.pack"
    left.write_bytes(b"PACK half")
    left.with_suffix(".idx").write_bytes(b"half")
    tree = unpacked(second, theirs)
    checkout.checkout(tree, theirs.path("work", "fake", "base"), SILENT)


def test_a_tree_that_is_used_is_not_old(linux: Path, tmp_path: Path, theirs: Cache) -> None:
    source = packed(linux, tmp_path)
    tree = unpacked(source, theirs)
    os.utime(tree.repository.parent, (OLD, OLD))
    unpacked(source, theirs)
    assert tree.repository.parent.stat().st_mtime > OLD


def test_a_file_that_is_no_bundle_is_refused_and_harms_no_other(linux: Path, tmp_path: Path, theirs: Cache) -> None:
    first, second = two(linux, tmp_path)
    good = unpacked(first, theirs)
    (tmp_path / "bad").write_bytes(second.path.read_bytes()[:-30])
    for path in (tmp_path / "bad", first.path):
        with pytest.raises(InfraError, match=f"is no bundle of {second.commit[:12]}"):
            unpacked(second.model_copy(update={"path": path}), theirs)
    checkout.checkout(good, theirs.path("work", "fake", "base"), SILENT)
    assert unpacked(second, theirs).content != good.content


def test_several_come_at_once(linux: Path, tmp_path: Path, theirs: Cache) -> None:
    sources = [*two(linux, tmp_path)] * 3
    with ThreadPoolExecutor(6) as pool:
        came = list(pool.map(lambda source: unpacked(source, theirs), sources))
    assert [tree.commit for tree in came] == [source.commit for source in sources]
    assert trees.git(came[0].repository, "rev-list", "--all", "--count") == "2"
