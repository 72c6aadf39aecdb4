"""A night whose history cannot be reached for a while."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.errors import InfraError
from orchestrator.history import read, store
from orchestrator.nightly import run
from orchestrator.progress import SILENT

AWAY = InfraError("history postgresql://db: server closed the connection")


class Engine:
    """Does each job at once."""

    def __init__(self, ends: BaseException | None = None) -> None:
        self.ends = ends
        self.began: list[str] = []

    def words(self, jobs: object) -> str:
        return ""

    def run(self, tasks: Any, workspace: object) -> Any:
        for task in tasks:
            self.began.append(task.name)
            yield SimpleNamespace(task=task, outcome=SimpleNamespace(name=task.name))
        if self.ends:
            raise self.ends


class Record:
    """Counts what was written down of a run."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.jobs: list[str] = []
        self.pending: list[str] = []
        self.interrupted = False
        self.pages = 0
        """Jobs that were in what was drawn last of all of them."""

    def write(self) -> int:
        self.pages = len(self.jobs)
        return len(self.jobs)

    def add(self, job: Any) -> int:
        self.jobs.append(job.name)
        return len(self.jobs)


class Night(run._Night):
    """A night that ends with the last of its jobs."""

    def _judged(self) -> Any:
        return "judged"


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what was written into a history that is away once the night has begun."""
    written: list[int] = []

    def add(database: object, result: int) -> None:
        if written and result < 4:
            raise AWAY
        written.append(result)

    def before(*_: object, **__: object) -> tuple[()]:
        raise AWAY

    monkeypatch.setattr(store, "add", add)
    monkeypatch.setattr(store, "add_job", lambda database, result, job: add(database, result))
    monkeypatch.setattr(read, "before", before)
    monkeypatch.setattr(read, "last_run", lambda *_: None)
    monkeypatch.setattr(read, "seconds", lambda *_: None)
    return written


def begun(engine: Engine) -> tuple[Any, Any, Record]:
    """Return a night that has not run, its plan, and what it writes down."""
    jobs = tuple(SimpleNamespace(name=f"job{number}") for number in range(5))
    record: Any = Record()
    workspace: Any = SimpleNamespace(directory=Path("/r/1"), progress=SILENT)
    database: Any = None
    working: Any = engine
    return Night(workspace, database, working, record), SimpleNamespace(label="full", jobs=jobs), record


def test_a_history_that_is_away_for_a_while_ends_no_night(history: list[int]) -> None:
    engine = Engine()
    at_work, plan, record = begun(engine)
    assert at_work.run(plan) == "judged"
    assert engine.began == record.jobs == [f"job{number}" for number in range(5)]
    assert record.notes == [f"{AWAY}; the night goes on, and is written down at its end"], "it is said once"
    assert history == [0, 4, 5], "what follows is written again"


def test_a_night_that_is_interrupted_while_its_history_is_away_says_that_it_was(history: list[int]) -> None:
    at_work, plan, record = begun(Engine(SystemExit(130)))
    plan.jobs = plan.jobs[:2]
    with pytest.raises(SystemExit):
        at_work.run(plan)
    assert record.interrupted


def test_a_night_goes_on_with_its_jobs_from_their_beginning(
    history: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a guest of an earlier attempt wrote is no console of the next; and the night is not the one before it."""
    last = SimpleNamespace(id="1", complete=False, missing=("job1",))
    monkeypatch.setattr(read, "last_run", lambda *_: last)
    engine = Engine()
    at_work, plan, record = begun(engine)
    at_work.workspace.directory = tmp_path
    consoles = [tmp_path / "jobs" / job.name / "boot-1" / "console.log" for job in plan.jobs]
    for console in consoles:
        console.parent.mkdir(parents=True)
        console.write_text("Kernel panic")
    at_work.run(plan, ("job0",))
    assert [console.exists() for console in consoles] == [True, False, False, False, False]
    at_work.run(plan, ())
    assert not consoles[0].exists() and not any("incomplete" in note for note in record.notes)


@pytest.mark.parametrize("error", [InfraError("the scheduler tls://x:1 is gone: its jobs are lost"), SystemExit(130)])
def test_what_ended_is_on_all_pages_whatever_ends_a_night(history: list[int], error: BaseException) -> None:
    at_work, plan, record = begun(Engine(error))
    with pytest.raises(type(error)) as raised:
        at_work.run(plan)
    assert raised.value is error and record.pages == 5
    assert record.interrupted == isinstance(error, SystemExit)


def test_a_night_that_can_no_longer_be_written_down_says_what_ended_it(
    history: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, plan, record = begun(Engine(SystemExit(130)))

    def write() -> int:
        if record.jobs:
            raise InfraError("No space left on device")
        return 0

    monkeypatch.setattr(record, "write", write)
    with pytest.raises(SystemExit):
        at_work.run(plan)


def test_a_history_that_is_away_when_a_night_begins_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def add(*_: object) -> None:
        raise AWAY

    monkeypatch.setattr(store, "add", add)
    monkeypatch.setattr(read, "last_run", lambda *_: None)
    at_work, plan, _ = begun(Engine())
    with pytest.raises(InfraError):
        at_work.run(plan)
