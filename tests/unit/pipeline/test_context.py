"""A run has its folder to itself."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from orchestrator.errors import InfraError, UserError
from orchestrator.host import scratch
from orchestrator.model import rundir
from orchestrator.pipeline import context


def test_a_run_that_is_at_work_is_not_gone_on_with(tmp_path: Path) -> None:
    with context.opened_run(tmp_path) as run:
        assert scratch.is_held(run) and rundir.RUN.fullmatch(run.name)
        with pytest.raises(InfraError, match="another process is at work in this run"), context.reopened_run(run):
            pass
    assert not scratch.is_held(run)
    with context.reopened_run(run):
        assert scratch.is_held(run)


def test_of_two_that_go_on_with_a_run_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both may have seen that nobody holds it."""
    monkeypatch.setattr(scratch, "is_held", lambda folder: False)
    refused = pytest.raises(InfraError, match="another process is at work in this run")
    with context.opened_run(tmp_path) as run, refused, context.reopened_run(run):
        pass


def test_a_run_is_gone_on_with_where_the_file_system_has_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(handle: int, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with context.opened_run(tmp_path) as run:
        assert not scratch.is_held(run)
    with context.reopened_run(run) as again:
        assert again == run


def test_of_two_runs_at_once_that_are_refused_none_is_the_last(tmp_path: Path) -> None:
    with context.opened_run(tmp_path) as good:
        (good / rundir.RESULT).write_text("{}")
    one, other = context.opened_run(tmp_path), context.opened_run(tmp_path)
    one.__enter__()
    other.__enter__()
    for run in (one, other):
        assert not run.__exit__(UserError, UserError("no such tree"), None)
    assert (tmp_path / "last").resolve() == good
