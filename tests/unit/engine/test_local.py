"""The engine of one machine: everything comes back, as many at a time as there is room for, and nothing outlives it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.cli.screen import Screen
from orchestrator.cli.terminal import Terminal
from orchestrator.config.schema import Machine
from orchestrator.engine.local import LocalEngine
from orchestrator.engine.slots import Capacity
from orchestrator.engine.task import Place, Task
from orchestrator.errors import Cancelled, InfraError
from orchestrator.guest import accel
from orchestrator.host import process
from tests.fakes import engines


@dataclass
class Crowd:
    """Work that counts how many are in it at once."""

    inside: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    together: threading.Barrier | None = None

    def __call__(self, place: Place) -> int:
        with place.guest(engines.job()), self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        if self.together:
            self.together.wait(60)
        with self.lock:
            self.inside -= 1
        return place.turn


def engine(cores: int = 4, most: int | None = None) -> LocalEngine:
    return LocalEngine(Capacity(frozenset(range(cores)), 2**40), most)


def test_every_task_comes_back_once(tmp_path: Path) -> None:
    tasks = [Task(f"t{number}", engines.job(), Crowd()) for number in range(9)]
    ended = list(engine().run(tasks, engines.workspace(tmp_path)))
    assert sorted(done.task.name for done in ended) == [task.name for task in tasks]
    assert {done.task.name: done.outcome for done in ended} == {f"t{number}": number for number in range(9)}


def test_a_task_is_taken_when_there_is_a_place_for_it_and_not_before(tmp_path: Path) -> None:
    taken: list[int] = []

    def tasks() -> Iterator[Task[int]]:
        for number in range(5):
            taken.append(number)
            yield Task(f"t{number}", engines.job(), Crowd())

    ended = engine(most=1).run(tasks(), engines.workspace(tmp_path))
    for number, done in enumerate(ended):
        assert done.outcome == number and taken == list(range(number + 1))


def test_a_fault_is_an_outcome_and_the_others_go_on(tmp_path: Path) -> None:
    def broken(place: Place) -> int:
        raise {0: InfraError("no disk"), 1: ValueError("a mistake")}.get(place.turn, KeyError())

    tasks = [Task("a", engines.job(), broken), Task("b", engines.job(), broken), Task("c", engines.job(), Crowd())]
    outcomes = {done.task.name: done.outcome for done in engine().run(tasks, engines.workspace(tmp_path))}
    assert str(outcomes["a"]) == "no disk" and outcomes["c"] == 2
    assert isinstance(outcomes["b"], InfraError) and "unexpected ValueError" in str(outcomes["b"])


def test_who_leaves_early_ends_what_runs(tmp_path: Path) -> None:
    began = threading.Event()
    ended: list[BaseException] = []

    def waits(place: Place) -> None:
        if place.turn == 0:
            return
        try:
            began.set()
            process.run(["sleep", "600"])
            process.check_wanted()
        except BaseException as error:
            ended.append(error)
            raise

    tasks = [Task(f"t{number}", engines.job(), waits) for number in range(2)]
    with contextlib.closing(engine().run(tasks, engines.workspace(tmp_path))) as results:
        assert next(results).outcome is None
        assert began.wait(60)
    assert len(ended) == 1 and isinstance(ended[0], Cancelled | process.CommandFailed)


def test_a_mistake_in_the_tasks_ends_what_runs(tmp_path: Path) -> None:
    def tasks() -> Iterator[Task[int]]:
        yield Task("t", engines.job(), Crowd())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(engine().run(tasks(), engines.workspace(tmp_path)))


def test_what_is_true_of_the_machine_is_shown_once_for_all_jobs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = tmp_path / "qemu"
    binary.write_text("#!/bin/sh\necho QEMU emulator version 7.2.0\n")
    binary.chmod(0o755)

    def without_kvm(place: Place) -> int:
        host = accel.Host(device=tmp_path / "kvm", binary=str(binary))
        accel.choose("auto", Machine(), lambda fact: None, place.workspace.cache, place.workspace.progress, host)
        place.workspace.progress.note("built")
        return place.turn

    tasks = [Task(f"job-{number}", engines.job(), without_kvm) for number in range(3)]
    with Terminal(Screen()) as terminal:
        ended = list(engine().run(tasks, engines.workspace(tmp_path, terminal)))
    assert all(isinstance(done.outcome, int) for done in ended), ended
    shown = capsys.readouterr().out
    assert shown.count("KVM is no use here") == 1, shown
    assert shown.count("built") == 3, "what is of a job has its name"
