"""Trees of somebody else, read without their configuration: what is taken over of it all the same."""

from pathlib import Path

from orchestrator.trees import foreign, repository
from tests.fakes import trees


def test_what_a_branch_follows_is_known(where: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    trees.git(tmp_path, "clone", "--quiet", where, clone)
    trees.git(clone, "checkout", "--quiet", "-b", 'to"pic', "--track", "origin/base")
    with foreign.opened(clone) as theirs:
        assert repository.git(theirs, "rev-parse", "--abbrev-ref", "HEAD@{upstream}") == "origin/base"
        assert repository.asks(theirs, "config", "--local", "remote.origin.url") is None


def test_a_configuration_that_cannot_be_read_is_none(where: Path) -> None:
    (where / ".git" / "config").write_text("[")
    with foreign.opened(where) as theirs:
        assert repository.commit_of(theirs, "HEAD")
