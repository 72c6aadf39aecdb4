"""What a validation knows so far: the facts that one check leaves to the next, and the run_record of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.model import CheckResult, CompilerWarning, RunResult, Side, Tree, Verdict
from orchestrator.model.plan import Pair
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.validate.request import Wanted


@dataclass
class Ledger:
    """What is known so far. It is written after each entry, so that a killed run tells its story.

    ``stopped`` says why nothing that needs the patched tree has a meaning any more. ``warnings`` are those of the base
    by variant; ``broken`` holds the variants for which there is no pair of kernels.
    """

    wanted: Wanted
    workspace: Workspace
    run_record: RunRecord
    stopped: str = ""
    trees: dict[Side, Tree] = field(default_factory=dict)
    warnings: dict[str, tuple[CompilerWarning, ...]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def log(self, name: str) -> Path:
        """Return where a check may leave its log; the folder exists afterwards."""
        path = self.workspace.directory / "checks" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def inside(self, name: str) -> Workspace:
        """Return the workspace for jobs that belong to a check: they are not the jobs of the run."""
        return replace(self.workspace, directory=self.workspace.directory / "checks" / name)

    def add(self, result: CheckResult) -> RunResult:
        """JobRecord a check, and say how it went."""
        self.run_record.checks.append(result)
        self.workspace.progress.note(f"{result.name}: {result.subject}: {result.verdict.name}: {result.message}")
        return self.run_record.write()

    def skip(self, name: str, subject: str, why: str, pairs: Sequence[Pair] = ()) -> None:
        """JobRecord a check that did not run, for the jobs of these pairs, too."""
        self.run_record.excused |= {planned.name for pair in pairs for planned in (pair.base, pair.patched)}
        self.add(CheckResult(name, subject, Verdict.SKIP, f"did not run: {why}", 0.0))
