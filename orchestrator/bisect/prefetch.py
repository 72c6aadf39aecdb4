"""Kernels that may be next are built while a guest runs: on cores that it leaves, or on other machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchestrator.engine.background import Background
from orchestrator.engine.task import Engine, Task
from orchestrator.engine.whole_run import KernelOf
from orchestrator.model import JobResult
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.progress import SILENT


@dataclass
class Prefetch:
    """Builds in the background on an engine; without one it does nothing."""

    workspace: Workspace
    engine: Engine | None
    _background: Background[JobResult] = field(init=False)

    def __post_init__(self) -> None:
        self._background = Background(self.engine, replace(self.workspace, progress=SILENT))

    def start(self, candidates: Sequence[tuple[str, Job]]) -> None:
        """Build what may be next, by commit; whatever was under way is left."""
        jobs = [replace(job, name=_name(commit)) for commit, job in candidates]
        self._background.start([Task(job.name, job, KernelOf(job)) for job in jobs])

    def await_(self, commit: str) -> None:
        """Let the build of this commit end if it is under way, and leave any other: both want the same work tree."""
        self._background.finish(_name(commit))

    def stop(self) -> None:
        """Leave what is under way, and wait until it is gone."""
        self._background.stop()


def _name(commit: str) -> str:
    return f"ahead-{commit[:12]}"
