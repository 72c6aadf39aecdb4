"""A run has its folder to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.host import scratch
from orchestrator.pipeline import context


def test_a_run_that_is_at_work_is_not_gone_on_with(tmp_path: Path) -> None:
    with context.opened_run(tmp_path) as run:
        assert scratch.is_held(run)
        with pytest.raises(InfraError, match="another process is at work in this run"), context.reopened_run(run):
            pass
    assert not scratch.is_held(run)
    with context.reopened_run(run):
        assert scratch.is_held(run)
