"""What becomes of a job whose worker went: once more where the scheduler is there, and else its end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.engine import cluster, order
from orchestrator.engine.certificates import files
from orchestrator.engine.cluster import ClusterEngine, _Begun, _Session
from orchestrator.engine.order import Packer, Parcel
from orchestrator.engine.roster import Roster
from orchestrator.engine.scheduler import Address
from orchestrator.engine.task import Place, Task
from orchestrator.errors import InfraError
from orchestrator.host.store import Store
from orchestrator.progress import SILENT, Progress
from tests.fakes import engines


@dataclass
class Client:
    """A client whose scheduler answers, or is gone."""

    there: bool

    def run_on_scheduler(self, function: Any) -> object:
        del function
        if not self.there:
            raise OSError("Timed out trying to connect")
        return None


@dataclass
class Future:
    status: str


def idle(place: Place) -> int:
    return place.turn


def taken(folder: Path, status: str, there: bool) -> _Session[int]:
    workspace = engines.workspace(folder)
    engine = ClusterEngine(Address("tls://lab:8786", files(folder)), Store((folder / "store").as_uri()))
    session = _Session[int](cast(Any, Client(there)), engine, workspace, Roster(SILENT))
    begun = _Begun(Task("toy", engines.job(), idle), 7, {"cores": 1.0}, cast(Any, Future(status)))
    assert session._taken(begun, Packer(workspace, engine.store, "topic")) is None
    return session


def test_a_result_that_went_with_its_worker_is_made_again(tmp_path: Path) -> None:
    assert [(turn, task.name) for turn, task in taken(tmp_path, "lost", there=True).again] == [(7, "toy")]


@pytest.mark.parametrize(("status", "there"), [("lost", False), ("cancelled", True)])
def test_without_a_scheduler_nothing_is_made_again(status: str, there: bool, tmp_path: Path) -> None:
    with pytest.raises(InfraError, match="the scheduler tls://lab:8786 is gone"):
        taken(tmp_path, status, there)


class Lab:
    """A scheduler with one worker of one core, which notes what is sent, and what is fetched."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.futures: list[Sent] = []
        self.info: dict[str, Any] = {
            "workers": {"tls://a": {"name": "a", "resources": order.resources({"cores": 1, "memory": 2**40})}}
        }

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        del n_workers
        return self.info

    def submit(self, function: Any, ordered: Any, *, key: str, **options: Any) -> Sent:
        del function, options
        self.log.append(f"sent {ordered.name}")
        self.futures.append(Sent(self, key, ordered))
        return self.futures[-1]

    def subscribe_topic(self, topic: str, handler: Any) -> None:
        del topic, handler

    def run_on_scheduler(self, function: Any) -> bool:
        del function
        return False

    def cancel(self, futures: list[Any], force: bool) -> None:
        del futures, force


@dataclass
class Sent:
    """A future whose job ends at once."""

    lab: Lab
    key: str
    ordered: Any
    status: str = "finished"

    def add_done_callback(self, ended: Any) -> None:
        ended(self)

    def result(self) -> Parcel[int]:
        self.lab.log.append(f"fetched {self.ordered.name}")
        return Parcel("attempt", "a", "host", self.ordered.turn, b"")

    def release(self) -> None:
        """Nobody holds it any more."""


@dataclass
class Log:
    """A Progress that notes in the log of the lab."""

    lab: Lab

    def note(self, text: str) -> None:
        self.lab.log.append(text)

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Figures are no part of it."""


REFUSED = "t0: no worker has 2048.2 GiB of memory for a guest (the most is 1024.0): it waits for a worker that has"


def session(lab: Lab, folder: Path, progress: Progress = SILENT) -> _Session[int]:
    workspace = engines.workspace(folder, progress)
    engine = ClusterEngine(Address("tls://lab:8786", files(folder)), Store((folder / "store").as_uri()))
    return _Session[int](cast(Any, lab), engine, workspace, Roster(SILENT))


def tasks(folder: Path, count: int) -> list[Task[int]]:
    tree = folder / "tree"
    tree.mkdir()
    (tree / "Makefile").write_text("all:\n")
    return [Task(f"t{number}", engines.job(source=tree), idle) for number in range(count)]


def test_the_next_job_is_sent_before_a_result_is_fetched(tmp_path: Path) -> None:
    lab = Lab()
    ended = list(session(lab, tmp_path).run(tasks(tmp_path, 3)))
    assert [done.outcome for done in ended] == [0, 1, 2]
    assert lab.log == ["sent t0", "sent t1", "fetched t0", "sent t2", "fetched t1", "fetched t2"]


BIG = {"name": "big", "resources": order.resources({"cores": 1, "memory": 2**42})}


def with_a_large_one(folder: Path) -> list[Task[int]]:
    """Return three tasks, of which the first needs more memory than the first worker has."""
    made = tasks(folder, 3)
    return [Task("t0", engines.job(source=folder / "tree", memory=2**41), idle), *made[1:]]


def test_a_job_waits_for_a_worker_that_can_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_LOOK", 0.01)
    lab = Lab()
    ended = []
    for done in session(lab, tmp_path, Log(lab)).run(with_a_large_one(tmp_path)):
        ended.append(done.outcome)
        if len(ended) == 2:
            lab.info["workers"]["tls://big"] = BIG
    assert ended == [1, 2, 0]
    assert [line for line in lab.log if line.startswith(("sent", "t0"))] == [REFUSED, "sent t1", "sent t2", "sent t0"]


def test_a_job_that_no_worker_can_run_is_refused_when_none_came_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_LOOK", 0.01)
    monkeypatch.setattr(cluster, "_PATIENCE", 0.1)
    lab = Lab()
    ended = list(session(lab, tmp_path, Log(lab)).run(with_a_large_one(tmp_path)))
    assert [done.task.name for done in ended] == ["t1", "t2", "t0"]
    assert isinstance(ended[2].outcome, InfraError) and str(ended[2].outcome).startswith("no worker has 2048.2 GiB")
    assert [line for line in lab.log if line.startswith(("sent", "t0"))] == [REFUSED, "sent t1", "sent t2"]


def test_who_has_waited_for_workers_once_does_not_wait_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bisect has a set of tasks for each of its steps."""
    monkeypatch.setattr(cluster, "_PATIENCE", 1e6)
    again = session(Lab(), tmp_path)
    again.engine.seen["tls://a"] = time.monotonic() - 2 * cluster._PATIENCE
    ended = list(again.run(with_a_large_one(tmp_path)))
    assert [done.task.name for done in ended] == ["t1", "t2", "t0"]


def test_a_client_that_lost_its_scheduler_knows_no_workers(tmp_path: Path) -> None:
    lab = Lab()
    lab.info = {}
    with pytest.raises(InfraError, match="the scheduler tls://lab:8786 is gone"):
        list(session(lab, tmp_path).run(tasks(tmp_path, 1)))
