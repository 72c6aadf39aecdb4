"""One attempt at an order: a folder of its own, and everything that can happen comes back as a value."""

from __future__ import annotations

import io
import random
import tarfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine import attempt, order
from orchestrator.engine.attempt import WorkerState
from orchestrator.engine.order import Fault, Order, Packer
from orchestrator.engine.slots import Capacity, Slots
from orchestrator.engine.task import Place, Task, Work
from orchestrator.errors import Cancelled, InfraError, KernelError
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.store import Store
from orchestrator.model import JobResult, Side
from orchestrator.progress import JobDetail
from tests.fakes import engines, results, trees


@dataclass(frozen=True)
class Does:
    """Work that writes a file, and then does as it is told."""

    act: Callable[[Place], Any]

    def __call__(self, place: Place) -> Any:
        folder = place.workspace.job_directory("toy")
        (folder / "console.log").write_text("Linux")
        return self.act(place)


@pytest.fixture
def state(tmp_path: Path) -> WorkerState:
    return WorkerState("lab1-7", Slots(Capacity(frozenset({0}), 2**40)), Cache(tmp_path / "worker"))


def ordered(tmp_path: Path, work: Work[Any]) -> Order[Any]:
    tree = trees.git_tree(tmp_path / "linux")
    store = Store((tmp_path / "store").as_uri())
    return Packer(engines.workspace(tmp_path / "mine"), store, "topic").order(
        3, Task("t", engines.job(source=tree), work)
    )


def test_what_was_written_comes_back_and_nothing_stays(state: WorkerState, tmp_path: Path) -> None:
    events: list[Mapping[str, Any]] = []

    def act(place: Place) -> Path:
        place.workspace.progress.note(JobDetail("toy: up"))
        for done in range(100):
            place.workspace.progress.advance("tests", done, 100)
        return place.workspace.directory / "jobs" / "toy" / "console.log"

    parcel = attempt.perform(ordered(tmp_path, Does(act)), "key", state, events.append)
    assert parcel.attempt.startswith("lab1-7-") and parcel.worker == "lab1-7"
    assert str(parcel.outcome) == "wpci@run/jobs/toy/console.log"
    with tarfile.open(fileobj=io.BytesIO(parcel.files)) as archive:
        assert archive.getnames() == ["jobs/toy/console.log"]
    assert list((tmp_path / "worker" / "attempts").rglob("*-7-*")) == []
    assert [event["what"] for event in events] == ["note", "figure"], "what nobody can see is not sent"
    assert isinstance(attempt.note_of(events[0]), JobDetail) and attempt.note_of(events[0]) == "toy: up"
    assert [event["number"] for event in events] == [1, 2]


def test_two_attempts_have_a_folder_each(state: WorkerState, tmp_path: Path) -> None:
    barrier, places = threading.Barrier(2), []

    def act(place: Place) -> None:
        places.append(place.workspace.directory)
        barrier.wait(60)

    wanted = ordered(tmp_path, Does(act))
    threads = [
        threading.Thread(target=attempt.perform, args=(wanted, f"key{k}", state, lambda event: None)) for k in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(places)) == 2


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KernelError("it broke"), 1, "it broke"),
        (InfraError("no disk"), 3, "no disk"),
        (ValueError("a mistake"), 3, "unexpected ValueError"),
        (Cancelled(), 3, "t was ended on lab1-7"),
        (SystemExit(1), 3, "unexpected SystemExit on lab1-7"),
    ],
)
def test_whatever_happens_is_a_value(
    error: BaseException, code: int, words: str, state: WorkerState, tmp_path: Path
) -> None:
    def act(place: Place) -> None:
        raise error

    outcome = attempt.perform(ordered(tmp_path, Does(act)), "key", state, lambda event: None).outcome
    assert isinstance(outcome, Fault) and outcome.exit_code == code and words in outcome.message


def test_what_is_too_large_is_left_and_named_and_the_result_comes(
    state: WorkerState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_MOST_FILES", 2**16)

    def act(place: Place) -> JobResult:
        folder = place.workspace.job_directory("toy")
        for name in ("one.kdump", "two.kdump"):
            (folder / name).write_bytes(random.Random(name).randbytes(2**17))
        return results.job(Side.BASE, (), directory=folder)

    parcel = attempt.perform(ordered(tmp_path, Does(act)), "key", state, lambda event: None)
    assert isinstance(parcel.outcome, JobResult)
    assert parcel.outcome.notes == ("too large to be sent from lab1-7, and gone: jobs/toy/two.kdump",)
    with tarfile.open(fileobj=io.BytesIO(parcel.files)) as archive:
        assert archive.getnames() == ["jobs/toy/console.log", "jobs/toy/one.kdump"]


def test_a_cache_that_cannot_be_used_is_a_value_too(tmp_path: Path) -> None:
    (tmp_path / "worker").write_text("a file")
    state = WorkerState("lab1-7", Slots(Capacity(frozenset({0}), 2**40)), Cache(tmp_path / "worker"))
    outcome = attempt.perform(ordered(tmp_path, Does(lambda place: None)), "key", state, lambda event: None).outcome
    assert isinstance(outcome, Fault) and "the cache is not to be used" in outcome.message


def test_who_ends_a_job_ends_what_it_started(state: WorkerState, tmp_path: Path) -> None:
    def act(place: Place) -> None:
        threading.Timer(0.2, state.end, ["key"]).start()
        process.run(["sleep", "600"], check=False)
        process.check_wanted()

    outcome = attempt.perform(ordered(tmp_path, Does(act)), "key", state, lambda event: None).outcome
    assert isinstance(outcome, Fault) and "was ended" in outcome.message
    assert state.groups == {}


def test_a_job_that_was_ended_before_it_began_starts_nothing(state: WorkerState, tmp_path: Path) -> None:
    state.end("key")
    wanted = ordered(tmp_path, Does(lambda place: process.check_wanted()))
    outcome = attempt.perform(wanted, "key", state, lambda event: None).outcome
    assert isinstance(outcome, Fault) and "was ended" in outcome.message
    assert not isinstance(attempt.perform(wanted, "key", state, lambda event: None).outcome, Fault), "once"


def test_what_a_killed_worker_left_goes_and_what_another_host_has_stays(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    mine = attempt.worker_name()
    for name in (f"{mine}-aa", "elsewhere-4194999-cc"):  # in a container each worker has the same process id
        cache.path("attempts", "run", name, "x")
    attempt.sweep(cache)
    assert [path.name for path in (tmp_path / "attempts" / "run").iterdir()] == ["elsewhere-4194999-cc"]


def test_what_a_worker_has_stays_that_another_sees_no_process_of(state: WorkerState, tmp_path: Path) -> None:
    elsewhere = replace(state, name=attempt.worker_name().rpartition("-")[0] + "-4194999")

    def act(place: Place) -> bool:
        attempt.sweep(state.cache)
        return place.workspace.directory.is_dir()

    assert attempt.perform(ordered(tmp_path, Does(act)), "key", elsewhere, lambda event: None).outcome is True
    assert not [*(state.cache.root / "attempts").glob("*/*")]


def test_other_code_is_another_version() -> None:
    number, _, code = order.version().partition("+")
    assert number and len(code) == 8
