"""Kernels that may be next are built while a guest runs, where cores are to spare."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchestrator.errors import Cancelled, PipelineError
from orchestrator.host import crash, process
from orchestrator.model import Stage
from orchestrator.pipeline import job as jobs
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.plan import Job
from orchestrator.progress import SILENT

_PATIENCE = 30.0
"""Seconds that a build which is not wanted any more has to end."""


@dataclass
class Prefetch:
    """Builds in the background, one after the other, on the spare cores. With none it does nothing."""

    workspace: Workspace
    cores: frozenset[int]
    _thread: threading.Thread | None = None
    _group: process.ChildGroup = field(default_factory=process.ChildGroup)
    _now: str = ""
    _last: str = ""

    def start(self, candidates: Sequence[tuple[str, Job]]) -> None:
        """Build what may be next, by commit; whatever was under way is left."""
        self.stop()
        if not self.cores or not candidates:
            return
        self._group, self._now, self._last = process.ChildGroup(), "", ""
        self._thread = threading.Thread(target=self._work, args=(candidates, self._group), daemon=True)
        self._thread.start()

    def await_(self, commit: str) -> None:
        """Let the build of this commit end if it is under way, and leave any other: both want the same work tree."""
        self._last = commit  # before anything else: the thread reads it between two builds, and must not begin another
        if self._now == commit and self._thread is not None:
            self._thread.join()
        self.stop()

    def stop(self) -> None:
        """Leave what is under way, and wait until it is gone."""
        if self._thread is not None:
            self._group.cut()
            self._thread.join(_PATIENCE)
        self._thread = None

    def _work(self, candidates: Sequence[tuple[str, Job]], group: process.ChildGroup) -> None:
        process.use_group(group)
        os.sched_setaffinity(0, self.cores)  # of this thread, and of the compilers that it starts
        quiet = replace(self.workspace, progress=SILENT)
        for commit, job in candidates:
            self._now = commit
            with contextlib.suppress(Cancelled, PipelineError), crash.contained(quiet.directory):
                jobs.run(replace(job, name=f"ahead-{commit[:12]}"), quiet, until=Stage.BUILD)
            if group.is_cut or self._last:
                return
