"""Tasks that run while other work is done: what becomes of them, and of an engine that breaks."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine import background as background_module
from orchestrator.engine.background import Background
from orchestrator.engine.local import LocalEngine
from orchestrator.engine.slots import Capacity
from orchestrator.engine.task import Done, Place, Task
from orchestrator.errors import InfraError
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from tests.fakes import engines

LOCAL = LocalEngine(Capacity(frozenset({0}), 2**40))


@dataclass(frozen=True)
class Answers:
    value: int

    def __call__(self, place: Place) -> int:
        return self.value


@dataclass(frozen=True)
class Breaks:
    """An engine with a mistake in it."""

    def run(self, tasks: Iterable[Task[Any]], workspace: Workspace) -> Generator[Done[Any]]:
        yield Done(next(iter(tasks)), 1)
        raise ValueError("a mistake")

    def sharing(self, workspace: Workspace) -> Workspace:
        return workspace

    def words(self, jobs: Iterable[Job]) -> str:
        return ""


def tasks(*names: str) -> list[Task[int]]:
    return [Task(name, engines.job(name), Answers(number)) for number, name in enumerate(names, 1)]


def test_each_task_comes_to_what_its_work_returns(tmp_path: Path) -> None:
    background = Background[int](LOCAL, engines.workspace(tmp_path))
    background.start(tasks("a", "b"))
    assert [background.outcome("b"), background.outcome("a")] == [2, 1]
    with pytest.raises(InfraError, match="c did not run"):
        background.outcome("c")
    background.stop()


def test_what_nobody_foresaw_is_a_fault_of_each_outcome_that_is_wanted(tmp_path: Path) -> None:
    background = Background[int](Breaks(), engines.workspace(tmp_path))
    background.start(tasks("a", "b"))
    assert background.outcome("a") == 1
    with pytest.raises(InfraError, match=r"unexpected ValueError .*: a mistake"):
        background.outcome("b")
    background.stop()


@dataclass
class Stubborn:
    """An engine whose first tasks do not end when they are cut, but when they are let go."""

    let_go: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    runs: int = 0

    def run(self, tasks: Iterable[Task[Any]], workspace: Workspace) -> Generator[Done[Any]]:
        self.runs += 1
        if self.runs > 1:
            self.let_go.set()  # while these are at work, the first ones end at last
            assert self.gone.wait(60)
            yield from (Done(task, "second") for task in tasks)
            return
        try:
            assert self.let_go.wait(60)
            yield from (Done(task, "first") for task in tasks)
        finally:
            self.gone.set()

    def sharing(self, workspace: Workspace) -> Workspace:
        return workspace

    def words(self, jobs: Iterable[Job]) -> str:
        return ""


def test_tasks_that_end_when_others_have_begun_are_not_taken_for_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_module, "_PATIENCE", 0.01)
    background = Background[Any](Stubborn(), engines.workspace(tmp_path))
    background.start(tasks("a", "b"))
    background.start(tasks("a", "b"))
    assert [background.outcome("a"), background.outcome("b")] == ["second", "second"]
    background.stop()


def test_without_an_engine_nothing_runs(tmp_path: Path) -> None:
    background = Background[int](None, engines.workspace(tmp_path))
    background.start(tasks("a"))
    with pytest.raises(InfraError, match="a did not run"):
        background.outcome("a")
