"""A red test once more, alone: what a trial says where it did not come to the test, and that the budget ends it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.suites import Suite
from orchestrator.host import cores, pool
from orchestrator.host.process import FOREVER, Deadline
from orchestrator.model import Accel, AccelFact, Alone, Kernel, Products, Rootfs, Status, TestResult
from orchestrator.pipeline import alone, suite_requests
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.suite import pollution
from tests.unit.pipeline.test_job_record import made_record
from tests.unit.suite.test_suite import FakeGuest, Lab, Result, request

NOBODY: Any = None


class Clones:
    """In place of the clones of a job: guests of a lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def guest(self, name: str) -> AbstractContextManager[FakeGuest]:
        return self.lab.boot()


class Slow(Lab):
    """Its tests are cut off by whoever waits for them, which is noted; they do not end by themselves."""

    def __init__(self) -> None:
        super().__init__({"a": {"A01": "hang", "A02": "hang"}})
        self.limits: list[float] = []

    @contextlib.contextmanager
    def boot(self) -> Iterator[FakeGuest]:
        with super().boot() as guest:
            run = guest.run

            def cut(command: str, *, deadline: Deadline, **options: Any) -> Result:
                if not command.endswith("; done"):
                    self.limits.append(deadline.at)
                    threading.Event().wait(deadline.remaining)
                return run(command, deadline=deadline, **options)

            guest.run = cut  # type: ignore[method-assign]
            yield guest


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ask for tests without a job."""
    monkeypatch.setattr(suite_requests, "request", lambda *given: request(tmp_path, given[-1], test_timeout=0.3))


def once(lab: Lab, *tests: str, within: Deadline = FOREVER) -> TestResult | None:
    place = alone.Place(NOBODY, NOBODY, Clones(lab), "alone/1")  # type: ignore[arg-type]
    case = alone.Case("own", TestResult(tests[-1], Status.FAIL), tests[:-1])
    return alone.once(place, case, Suite(), within)


def examined(lab: Lab, deadline: Deadline = FOREVER, before: pollution.Tests = ("A01",)) -> Alone | None:
    """Return what comes of a test that failed behind others."""
    bench = alone._Bench(NOBODY, NOBODY, Clones(lab), deadline, at_once=1)  # type: ignore[arg-type]
    return bench.alone(alone.Case("own", TestResult("A02", Status.FAIL), before), Suite())


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("ok", "not ok", Status.FAIL),
        ("not ok", "ok", Status.PASS),
        ("ok", "crash", Status.CRASHED),
        ("vanish", "not ok", None),  # the program ended before it
        ("crash", "not ok", None),  # it ran in another guest
        ("silence", "ok", None),
    ],
)
def test_a_test_that_did_not_come_to_run_behind_the_others_has_no_result(
    first: str, second: str, status: Status | None
) -> None:
    last = once(Lab({"a": {"A01": first, "A02": second}}), "A01", "A02")
    assert (last.status if last else None) is status


def test_what_is_not_known_is_no_pollution() -> None:
    seen = examined(Lab({"a": {"A01": "vanish", "A02": "ok"}}))
    assert seen and (seen.tries, seen.before, seen.after, seen.shortest) == ((Status.PASS,) * 3, 1, (), False)
    assert seen.words.endswith("; how it goes after the 1 tests before it is not known")


class Played(alone._Bench):
    """Its trials have the outcomes that are given for the number of tests before it, in their order; the last stays."""

    def __init__(self, outcomes: dict[int, str]) -> None:
        super().__init__(NOBODY, NOBODY, NOBODY, FOREVER, at_once=1)
        self.outcomes = {count: iter(words.replace("*", words[-2] * 9)) for count, words in outcomes.items()}

    def _status(self, case: alone.Case, config: Suite) -> Status | None:
        return {"p": Status.PASS, "f": Status.FAIL, "?": None}[next(self.outcomes[len(case.before)])]


ALONE = "green alone in a fresh guest, "


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ({0: "p*", 4: "f*", 2: "f*", 1: "f*"}, f"red only after T4; {ALONE}6 times"),
        ({0: "p*", 4: "fpf"}, f"{ALONE}3 times; red in 2 of 3 tries after the 4 tests before it"),
        ({0: "p*", 4: "p*"}, f"{ALONE}3 times, and after the 4 tests before it"),
        ({0: "ppppfp", 4: "f*"}, "red alone in a fresh guest in 1 of 6 tries"),
        ({0: "p*", 4: "ff?"}, f"{ALONE}3 times; how it goes after the 4 tests before it is not known"),
        (
            {0: "p*", 4: "f*", 2: "f*", 1: "p?"},
            f"red only after T3, T4 (fewer of them may do); {ALONE}6 times",
        ),
    ],
)
def test_a_test_is_red_only_after_others_where_it_is_so_each_time(outcomes: dict[int, str], words: str) -> None:
    case = alone.Case("own", TestResult("T5", Status.FAIL), ("T1", "T2", "T3", "T4"))
    seen = Played(outcomes).alone(case, Suite())
    assert seen and seen.words == words


def test_a_fault_that_nobody_foresaw_is_a_note_and_what_is_known_of_the_job_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(*_: object) -> None:
        raise ZeroDivisionError("odd")

    record = red_record(tmp_path)
    monkeypatch.setattr(suite_requests, "windows", odd)
    assert alone.examine(record, {"uffd": [TestResult("A02", Status.FAIL)]}).name == record.job.name
    monkeypatch.setattr(cores, "clones", odd)
    alone.run(record, [alone.Case("uffd", TestResult("A02", Status.FAIL), ())])
    assert [note.partition(" at ")[0] for note in record.notes] == [
        "red tests were not run alone: unexpected ZeroDivisionError"
    ] * 2


def red_record(folder: Path) -> JobRecord:
    """Return the record of a job that has booted."""
    record, file = made_record(folder), folder / "file"
    file.write_text("")
    kernel = Kernel("k", file, file, file, None, "5.10.0", "00", "", "", (), file)
    fact = AccelFact(Accel.TCG, "max", "7.2", "")
    record.products = Products(kernel=kernel, rootfs=Rootfs(file, "", file), accel=fact)
    return record


@pytest.mark.parametrize(("exclusive", "most"), [((), 3), (("A*",), 1)])
def test_a_test_that_wants_the_cores_to_itself_has_them_in_each_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exclusive: tuple[str, ...], most: int
) -> None:
    limits: list[int] = []

    def each(action: Callable[[int], Status | None], items: Sequence[int], at_once: int) -> list[Status | None]:
        limits.append(at_once)
        return [action(item) for item in items]

    monkeypatch.setattr(pool, "each", each)
    monkeypatch.setattr(cores, "clones", lambda memory, cpus=1: 3 // cpus)
    clones: Any = Clones(Lab({"a": {"A01": "not ok", "A02": "ok"}}))
    bench = alone._Bench(red_record(tmp_path), NOBODY, clones, FOREVER, at_once=3)
    seen = bench.alone(alone.Case("own", TestResult("A01", Status.FAIL), ()), Suite(exclusive=exclusive))
    assert seen and seen.failures == 3 and limits == [most]


class Mute(Lab):
    """Its programs print their plan, and end."""

    @contextlib.contextmanager
    def boot(self) -> Iterator[FakeGuest]:
        with super().boot() as guest:

            def perform(program: str, words: list[str], output: Path) -> Result:
                output.write_text("KTAP version 1\n1..1\n")
                return Result(0)

            guest.perform = perform  # type: ignore[method-assign]
            yield guest


def test_a_test_that_never_comes_to_run_is_neither_red_nor_green() -> None:
    seen = examined(Mute({"a": {"A01": "", "A02": ""}}))
    assert seen and (seen.tries, seen.failures, seen.after) == ((), 0, ())
    assert seen.words == "not known to be red alone: it had no result there"


def test_the_budget_ends_a_trial_and_what_it_cut_says_nothing() -> None:
    lab, budget = Slow(), Deadline.after(0.1)
    assert once(lab, "A02", within=budget) is None
    assert lab.limits == [budget.at]
    late = once(Slow(), "A02")
    assert late is not None and late.status is Status.TIMEOUT, "its own time was up: that is an outcome"


def test_where_the_budget_is_up_before_the_first_try_ended_nothing_is_said() -> None:
    assert examined(Slow(), Deadline.after(0.1)) is None
    lab = Slow()
    assert examined(lab, Deadline.after(0)) is None and lab.guests == [], "and no guest is cloned for it"
