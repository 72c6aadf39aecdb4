"""A work tree that is moved: what must be rewritten is, nothing else, and a half-written one is put right."""

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.host.cache import Cache
from orchestrator.host.process import CommandFailed
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.series import apply, series
from orchestrator.trees import checkout
from tests.fakes import trees

OLD = 1_000_000_000


@pytest.fixture
def base(tmp_path: Path) -> Tree:
    return trees.fetched(trees.git_tree(tmp_path / "linux"), Cache(tmp_path / "cache"))


@pytest.fixture
def patched(base: Tree, tmp_path: Path) -> Tree:
    patches = series.load(trees.three_patches(tmp_path / "linux"))
    return apply.apply(base, patches, Cache(tmp_path / "cache"), SILENT)


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "work" / "patched"


def files(where: Path) -> set[str]:
    return {str(path.relative_to(where)) for path in where.rglob("*") if not path.is_dir() and path.name != ".git"}


def expected(tree: Tree) -> set[str]:
    listed = trees.git(tree.repository, "-c", "core.quotePath=false", "ls-tree", "-z", "-r", "--name-only", tree.commit)
    return set(listed.strip("\0").split("\0"))


def assert_at(tree: Tree, where: Path) -> None:
    """Every file of the commit is there with its content, and no other."""
    assert files(where) == expected(tree)
    trees.git(where, "add", "--force", "--all")
    assert trees.git(where, "write-tree") == tree.content


def age(where: Path) -> None:
    """Give every file an old time, so that a rewritten one stands out."""
    for name in files(where):
        os.utime(where / name, (OLD, OLD), follow_symlinks=False)


def rewritten(where: Path) -> set[str]:
    return {name for name in files(where) if (where / name).lstat().st_mtime != OLD}


def test_a_new_work_tree_has_the_files_of_the_commit(base: Tree, where: Path) -> None:
    checkout.checkout(base, where, SILENT)
    assert_at(base, where)
    assert (where / "link").is_symlink() and os.access(where / "run.sh", os.X_OK)


def test_a_move_rewrites_only_what_differs(base: Tree, patched: Tree, where: Path) -> None:
    checkout.checkout(base, where, SILENT)
    age(where)
    checkout.checkout(patched, where, SILENT)
    assert rewritten(where) == {"mm/shmem.c", "mm/memory.c", "mm/new.c"}
    assert_at(patched, where)
    age(where)
    checkout.checkout(base, where, SILENT)
    assert rewritten(where) == {"mm/shmem.c", "mm/memory.c"}
    assert_at(base, where)


def test_what_a_killed_make_left_in_the_tree_is_gone_after_the_next_move(base: Tree, where: Path) -> None:
    checkout.checkout(base, where, SILENT)
    (where / ".out-smoke").mkdir()
    (where / ".out-full" / "mm").mkdir(parents=True)
    (where / ".out-full" / "mm" / "shmem.o").write_text("object")
    checkout.checkout(base, where, SILENT)
    assert not list(where.glob(".out-*"))
    assert_at(base, where)


def test_being_there_already_writes_nothing(patched: Tree, where: Path) -> None:
    checkout.checkout(patched, where, SILENT)
    age(where)
    checkout.checkout(patched, where, SILENT)
    assert rewritten(where) == set()


def test_what_somebody_changed_is_put_back_and_the_rest_left_alone(base: Tree, where: Path) -> None:
    checkout.checkout(base, where, SILENT)
    age(where)
    (where / "mm" / "shmem.c").write_text("half\n")
    (where / "mm" / "memory.c").unlink()
    (where / "mm" / "stray.o").write_text("built\n")
    (where / ".config").write_text("CONFIG_X=y\n")
    checkout.checkout(base, where, SILENT)
    assert rewritten(where) == {"mm/shmem.c", "mm/memory.c"}
    assert_at(base, where)


def test_a_run_killed_within_git_checkout_is_gone_on_with(base: Tree, patched: Tree, where: Path) -> None:
    """git writes the files first and the index last: files of the new commit, the old index, and its lock."""
    checkout.checkout(base, where, SILENT)
    (where / "mm" / "new.c").write_text("int ne")
    trees.edit(where, "mm/shmem.c", 10, "int first;")
    admin = Path((where / ".git").read_text().removeprefix("gitdir:").strip())
    (admin / "index.lock").write_bytes(b"half an index")
    (admin / "HEAD.lock").touch()
    checkout.checkout(base, where, SILENT)
    assert_at(base, where)


def test_a_broken_index_is_made_anew(base: Tree, where: Path) -> None:
    checkout.checkout(base, where, SILENT)
    admin = Path((where / ".git").read_text().removeprefix("gitdir:").strip())
    (admin / "index").write_bytes(b"DIRC, and then the disk was full")
    said = trees.Notes()
    checkout.checkout(base, where, said)
    assert_at(base, where)
    assert any("damaged" in line for line in said.said)


def test_a_work_tree_of_another_repository_is_made_anew(base: Tree, where: Path, tmp_path: Path) -> None:
    other = trees.fetched(trees.git_tree(tmp_path / "other"), Cache(tmp_path / "elsewhere"))
    checkout.checkout(other, where, SILENT)
    checkout.checkout(base, where, SILENT)
    assert_at(base, where)
    assert str(base.repository) in (where / ".git").read_text()


def test_a_work_tree_whose_repository_is_gone_is_made_anew(base: Tree, where: Path, tmp_path: Path) -> None:
    other = trees.fetched(trees.git_tree(tmp_path / "other"), Cache(tmp_path / "elsewhere"))
    checkout.checkout(other, where, SILENT)
    shutil.rmtree(tmp_path / "elsewhere")
    checkout.checkout(base, where, SILENT)
    assert_at(base, where)


def test_a_work_tree_that_was_removed_comes_back(base: Tree, where: Path) -> None:
    checkout.checkout(base, where, SILENT)
    shutil.rmtree(where)
    checkout.checkout(base, where, SILENT)
    assert_at(base, where)


def test_two_work_trees_of_one_repository_stand_side_by_side(base: Tree, patched: Tree, where: Path) -> None:
    checkout.checkout(base, where.with_name("base"), SILENT)
    checkout.checkout(patched, where, SILENT)
    assert_at(base, where.with_name("base"))
    assert_at(patched, where)


@pytest.mark.parametrize("kind", ["folder", "clone", "file"])
def test_what_is_not_ours_is_never_removed(base: Tree, where: Path, kind: str) -> None:
    where.parent.mkdir(parents=True, exist_ok=True)
    if kind == "clone":
        trees.git_tree(where)
    elif kind == "folder":
        where.mkdir()
        (where / "thesis.txt").write_text("years\n")
    else:
        where.write_text("years\n")
    with pytest.raises(InfraError, match="is in the way"):
        checkout.checkout(base, where, SILENT)
    assert where.exists() and (kind != "folder" or (where / "thesis.txt").read_text() == "years\n")


@pytest.mark.parametrize("name", ["commondir", "gitdir", "HEAD"])
@pytest.mark.parametrize("rotten", ["", "..", "../.\x2a\n"], ids=["emptied", "cut", "turned"])
def test_a_damaged_work_tree_is_in_nobodys_way(base: Tree, patched: Tree, where: Path, name: str, rotten: str) -> None:
    other = where.with_name("base")
    checkout.checkout(base, other, SILENT)
    (file,) = (base.repository / "worktrees").glob(f"*/{name}")
    file.write_text(rotten)
    checkout.checkout(patched, where, SILENT)
    assert_at(patched, where)
    checkout.checkout(base, other, SILENT)
    assert_at(base, other)


def test_a_work_tree_that_another_run_is_adding_is_left_alone(base: Tree, patched: Tree, where: Path) -> None:
    checkout.checkout(base, where.with_name("base"), SILENT)
    (admin,) = (base.repository / "worktrees").iterdir()
    (admin / "locked").write_text("initializing")
    (admin / "commondir").write_text("")
    with pytest.raises(CommandFailed, match="commondir"):
        checkout.checkout(patched, where, SILENT)
    assert (admin / "commondir").exists()
