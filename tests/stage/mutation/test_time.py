"""`--for`: a mutant whose turn comes when the time is up is left for the next run, also one that was taken before."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.config import loader, overrides
from orchestrator.engine.local import LocalEngine
from orchestrator.engine.slots import Capacity
from orchestrator.host.process import Deadline
from orchestrator.mutation import run
from orchestrator.pipeline import opening, plan, values
from tests.stage.mutation import test_run
from tests.stage.pipeline.test_run import Bench

bench = test_run.bench


@dataclass(frozen=True)
class WhenBooted(Deadline):
    """The moment at which the first mutant has a console."""

    at: float = 0.0
    results: Path = Path()

    @property
    def expired(self) -> bool:
        return any(self.results.glob("*/jobs/*0001*/boot-1/console.log"))


@dataclass
class Notes:
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        pass


@pytest.mark.nightly
def test_what_was_taken_before_the_time_was_up_begins_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench.folder)
    for name in ("PATH", "WPCI_CACHE"):
        monkeypatch.setenv(name, bench.environment[name])
    results, notes = bench.folder / "results", Notes()
    pipeline = loader.load(Path("pipeline.yaml"))
    with opening.open_run(pipeline, None, overrides.Options(), results=results, progress=notes) as (workspace, mode):
        (pair,) = plan.expand(workspace.pipeline, mode, values.Choice()).pairs
        request = run.Request(
            pair.patched, Path("report"), first=(("T01",),), late=("T02",), deadline=WhenBooted(results=results)
        )
        engine = LocalEngine(Capacity(frozenset({0, 1}), 2**40, guests=1), most=12)
        done = run.run(request, workspace, engine).report
    tried = [entry.name[:4] for entry in done.section("small").entries]
    assert tried in (["0001"], ["0001", "0002"]), "what does not build needs no guest"
    words = [note for note in notes.notes if "the time is up" in note]
    assert words == [f"the time is up: {5 - len(tried)} mutants are left for the next run"]
    assert not any(results.glob("*/jobs/*000[345]*/boot-1"))
