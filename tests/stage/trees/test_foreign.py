"""Trees of somebody else, read without their configuration: what is taken over of it all the same."""

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.host.process import Deadline
from orchestrator.trees import foreign, repository
from tests.fakes import trees

FOLLOWED = '[branch "topic"]\n\tremote = origin\n\tmerge = refs/heads/base\n'


@pytest.fixture
def clone(where: Path, tmp_path: Path) -> Path:
    """A clone that is on a branch of its own, which follows nothing."""
    clone = tmp_path / "clone"
    trees.git(tmp_path, "clone", "--quiet", where, clone)
    trees.git(clone, "checkout", "--quiet", "--no-track", "-b", "topic", "origin/base")
    return clone


def add(config: Path, text: str) -> None:
    with config.open("a") as file:
        file.write(text)


def upstream(where: Path) -> str | None:
    with foreign.opened(where) as theirs:
        return repository.asks(theirs.git, "rev-parse", "--abbrev-ref", "HEAD@{upstream}")


def test_what_a_branch_follows_is_known(clone: Path) -> None:
    trees.git(clone, "checkout", "--quiet", "-b", 'to"pic', "--track", "origin/base")
    with foreign.opened(clone) as theirs:
        assert repository.git(theirs.git, "rev-parse", "--abbrev-ref", "HEAD@{upstream}") == "origin/base"
        assert repository.asks(theirs.git, "config", "--local", "remote.origin.url") is None


def test_what_a_branch_follows_may_stand_in_an_included_file(clone: Path) -> None:
    assert upstream(clone) is None
    (clone.parent / "more").write_text(FOLLOWED)
    add(clone / ".git" / "config", "[include]\n\tpath = ../../more\n")
    assert upstream(clone) == "origin/base"


def test_what_a_branch_follows_may_stand_in_the_configuration_of_a_work_tree(clone: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    trees.git(clone, "worktree", "add", "--quiet", "--no-track", "-b", "other", linked, "origin/base")
    (clone / ".git" / "config.worktree").write_text(FOLLOWED)
    (clone / ".git" / "worktrees" / "linked" / "config.worktree").write_text(FOLLOWED.replace("topic", "other"))
    assert upstream(clone) is upstream(linked) is None
    add(clone / ".git" / "config", "[extensions]\n\tworktreeConfig\n")
    assert upstream(clone) == upstream(linked) == "origin/base"


def test_a_format_that_an_included_file_names_is_not_in_force(clone: Path) -> None:
    text = "[extensions]\n\tobjectFormat = sha256\n"
    (clone / ".git" / "more").write_text(text)
    add(clone / ".git" / "config", "[include]\n\tpath = more\n")
    with foreign.opened(clone) as theirs:
        assert repository.commit_of(theirs.git, "HEAD")
    add(clone / ".git" / "config", text)
    with pytest.raises(UserError, match=r"extensions\.objectformat = sha256"), foreign.opened(clone):
        pass


def test_a_configuration_that_cannot_be_read_is_none(where: Path) -> None:
    (where / ".git" / "config").write_text("[")
    with foreign.opened(where) as theirs:
        assert repository.commit_of(theirs.git, "HEAD")


@pytest.mark.parametrize("kind", ["no end", "itself", "no configuration", "nobody writes it", "not there"])
def test_an_included_file_that_cannot_be_read_hides_nothing_of_the_configuration(
    clone: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "_SECONDS", 1.0)
    pipe = clone.parent / "pipe"
    os.mkfifo(pipe)
    (clone.parent / "broken").write_text("[")
    included = {
        "no end": "/dev/zero",
        "itself": "config",
        "no configuration": clone.parent / "broken",
        "nobody writes it": pipe,
        "not there": "/nowhere/config",
    }[kind]
    add(clone / ".git" / "config", f"{FOLLOWED}[include]\n\tpath = {included}\n")
    within = Deadline.after(20)
    assert upstream(clone) == "origin/base"
    assert not within.expired


def test_the_index_is_as_old_as_theirs(where: Path) -> None:
    """git looks into files that are not older than the index: one may have changed since, in the same second."""
    index = where / ".git" / "index"
    os.utime(index, (10**9, 10**9))
    with foreign.opened(where) as theirs:
        assert (theirs.git / "index").stat().st_mtime == index.stat().st_mtime


def test_an_index_that_is_written_anew_meanwhile_is_not_taken_for_a_new_one(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time of the new one, files that changed between the two would count as unchanged."""
    index = where / ".git" / "index"
    os.utime(index, (10**9, 10**9))

    def copied(source: Path, to: Path) -> None:
        copy(source, to)
        os.utime(source)

    copy = shutil.copyfile
    monkeypatch.setattr(shutil, "copyfile", copied)
    with foreign.opened(where) as theirs:
        assert (theirs.git / "index").stat().st_mtime == 10**9


def test_what_git_removes_meanwhile_is_not_there(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = where / ".git" / "refs" / "heads" / "topic.lock"
    lock.touch()

    def copied(source: Path, to: Path) -> None:
        if source == lock:
            lock.unlink()
        copy(source, to)

    copy = shutil.copyfile
    monkeypatch.setattr(shutil, "copyfile", copied)
    with foreign.opened(where) as theirs:
        assert repository.commit_of(theirs.git, "HEAD")
    assert not lock.exists()


@pytest.mark.parametrize("name", [".git", ".git/commondir"])
def test_a_file_that_names_a_folder_of_git_is_read_only_as_far_as_a_name_goes(where: Path, name: str) -> None:
    if name == ".git":
        shutil.rmtree(where / name)
    (where / name).touch()
    os.truncate(where / name, 2**40)
    with pytest.raises(UserError, match="larger than"), foreign.opened(where):
        pass


def test_a_file_that_names_no_folder_that_can_be_is_no_git_tree(where: Path) -> None:
    (where / ".git" / "commondir").write_bytes(b"\0")
    with pytest.raises(UserError, match="is no git tree that can be read"), foreign.opened(where):
        pass


def test_a_tree_whose_path_has_a_line_end_is_refused_in_one_line(where: Path, tmp_path: Path) -> None:
    moved = tmp_path / "a\nb"
    where.rename(moved)
    (tmp_path / "link").symlink_to(moved)
    for named in (moved, tmp_path / "link"):
        with pytest.raises(UserError, match=r"a\\nb.*: a path with a line end in it is not taken"):
            foreign.layout(named)
