"""The cache of a run: which one is refused, and what goes of it behind the run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.cli import worker
from orchestrator.config.schema import Keep, Limits, Pipeline
from orchestrator.errors import InfraError, UserError
from orchestrator.host import prune
from orchestrator.host.cache import Cache
from orchestrator.pipeline import opening
from orchestrator.progress import SILENT
from tests.fakes import engines

FULL = "No space left on device"


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.setenv("WPCI_CACHE", str(tmp_path))
    limits = Limits(kernels=Keep.model_construct(days=1, size=1))
    return Pipeline(trees={}, variants={}, suites={}, modes={}, limits=limits)


def test_old_kernels_go_behind_a_run_that_a_full_disk_ended(tmp_path: Path, pipeline: Pipeline) -> None:
    kernel = tmp_path / "kernels" / "old"
    kernel.mkdir(parents=True)
    os.utime(kernel, (1, 1))
    with pytest.raises(InfraError, match=FULL), opening.cache_in_use(pipeline, SILENT):
        raise InfraError(FULL)
    assert not kernel.exists()


def test_what_ended_a_run_is_not_hidden_by_kernels_that_cannot_go(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kernels(cache: Cache, keep: Keep) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(prune, "kernels", kernels)
    with pytest.raises(InfraError, match=FULL), opening.cache_in_use(pipeline, SILENT):
        raise InfraError(FULL)
    with opening.cache_in_use(pipeline, SILENT):
        pass


def test_a_cache_whose_path_make_takes_apart_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WPCI_CACHE", str(tmp_path / "do$lar"))
    pipeline = engines.workspace(tmp_path / "own").pipeline
    with pytest.raises(UserError, match="name another in WPCI_CACHE"), opening.cache_in_use(pipeline, SILENT):
        pass
    with pytest.raises(UserError, match="name another in WPCI_CACHE"):
        worker.worker("tls://localhost:1", tmp_path)
    assert not (tmp_path / "do$lar").exists()
