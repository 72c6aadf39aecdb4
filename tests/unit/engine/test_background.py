"""Tasks that run while other work is done: what becomes of them, and of an engine that breaks."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


def test_without_an_engine_nothing_runs(tmp_path: Path) -> None:
    background = Background[int](None, engines.workspace(tmp_path))
    background.start(tasks("a"))
    with pytest.raises(InfraError, match="a did not run"):
        background.outcome("a")
