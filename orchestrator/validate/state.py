"""What a validation knows so far: the facts that one check leaves to the next, and the record of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.engine.background import Background
from orchestrator.engine.task import Engine
from orchestrator.model import CheckResult, CompilerWarning, RunResult, Side, Tree, Verdict, rundir
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.pipeline.values import Job, Pair
from orchestrator.validate.request import Request


@dataclass
class State:
    """What is known so far. It is written after each entry, so that the results of a killed run are there.

    ``stopped`` says why nothing that needs the patched tree has a meaning any more. ``warnings`` are those of the base
    by variant; ``broken`` holds the variants for which there is no pair of kernels, ``tested`` those that were booted.
    ``red`` says what was the first red. ``elsewhere`` is what other machines do, where an ``engine`` has them.
    """

    wanted: Request
    workspace: Workspace
    run_record: RunRecord
    stopped: str = ""
    trees: dict[Side, Tree] = field(default_factory=dict)
    warnings: dict[str, tuple[CompilerWarning, ...]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    tested: set[str] = field(default_factory=set)
    red: str = ""
    elsewhere: Background[Any] = field(init=False)
    engine: Engine | None = None
    _records: dict[str, JobRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.elsewhere = Background(self.engine, self.workspace)

    @property
    def is_over(self) -> bool:
        """Whether nothing else is to be done: the first red was all that was asked for, and is there."""
        return self.wanted.stops_at_first and bool(self.red)

    @property
    def why_over(self) -> str:
        """Why nothing else is to be done, where that is so."""
        return f"--stop-at-first, and {self.red} is red"

    def record(self, planned: Job) -> JobRecord:
        """Return the record of a job of the run: a job that began beside a build goes on in it."""
        return self._records.setdefault(planned.name, JobRecord(planned, self.workspace))

    def log(self, name: str) -> Path:
        """Return where a check may leave its log; the folder exists afterwards."""
        path = self.workspace.directory / rundir.CHECKS / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def inside(self, name: str) -> Workspace:
        """Return the workspace for jobs that belong to a check: they are not the jobs of the run."""
        return replace(self.workspace, directory=self.workspace.directory / rundir.CHECKS / name)

    def add(self, result: CheckResult) -> RunResult:
        """Record a check, and say how it went."""
        self.run_record.checks.append(result)
        self.say(result.name, result.subject, result.verdict, result.message)
        return self.run_record.write()

    def say(self, check: str, subject: str, verdict: Verdict, message: str) -> None:
        """Say a verdict the moment it is known, and remember the first red."""
        self.workspace.progress.note(f"{check}: {subject}: {verdict.name}: {message}")
        if verdict is Verdict.FAIL and not self.red:
            self.red = f"{check}: {subject}"

    def skip_rest(self, name: str, count: int) -> None:
        """Record that a check of each patch did not run for the last ``count`` of them, as all is over."""
        self.skip(name, f"{count} more patch{'' if count == 1 else 'es'}", self.why_over)

    def skip(self, name: str, subject: str, why: str, pairs: Sequence[Pair] = ()) -> None:
        """Record a check that did not run, for the jobs of these pairs, too."""
        self.run_record.excused |= {planned.name for pair in pairs for planned in (pair.base, pair.patched)}
        self.add(CheckResult(name, subject, Verdict.SKIP, f"did not run: {why}", 0.0))
