"""The two commits that a bisect of a tree walks between, in real git."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.bisect import history
from orchestrator.bisect.values import Request
from orchestrator.errors import UserError
from orchestrator.model import Symptom, SymptomKind
from tests.fakes import engines, trees


def ends(tmp_path: Path, good: str, bad: str, commits: tuple[str, str] | None = None) -> tuple[str, str]:
    request = Request(good=good, bad=bad, symptom=Symptom(SymptomKind.BOOT))
    job = engines.job(source=tmp_path / "tree")
    walked = history._commits(request, job, tmp_path / "walk", engines.workspace(tmp_path), commits)
    return walked.good, walked.bad


def test_a_branch_that_moves_on_does_not_move_the_end_of_a_bisect(tmp_path: Path) -> None:
    where = trees.git_tree(tmp_path / "tree")
    first = trees.git(where, "rev-parse", "HEAD")
    (where / "a").write_text("1")
    second = trees.commit(where, "mm: second")
    begun = ends(tmp_path, "HEAD~1", "HEAD")
    assert begun == (first, second)
    (where / "a").write_text("2")
    third = trees.commit(where, "mm: third")
    assert ends(tmp_path, "HEAD~1", "HEAD") == (second, third)
    assert ends(tmp_path, "HEAD~1", "HEAD", begun) == begun


def test_swapped_ends_are_the_users_fault(tmp_path: Path) -> None:
    where = trees.git_tree(tmp_path / "tree")
    (where / "a").write_text("1")
    trees.commit(where, "mm: second")
    with pytest.raises(UserError, match="the other way round"):
        ends(tmp_path, "HEAD", "HEAD~1")
