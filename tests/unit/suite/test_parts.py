"""A suite in parts: each test once, about the same time each, and what wants cores of its own by itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import suite
from orchestrator.config.suites import MOST_GUESTS, Suite
from orchestrator.errors import InfraError
from orchestrator.model import SuiteRun
from orchestrator.progress import SILENT
from orchestrator.suite import parts
from orchestrator.suite.ktap_suite import by_program
from orchestrator.suite.parts import Item
from orchestrator.suite.request import Split
from tests.unit.suite.test_suite import FakeGuest, Lab, Result, performed, request

durations = st.lists(st.one_of(st.none(), st.floats(0.01, 60)), max_size=60)


def items(seconds: list[float | None]) -> list[Item[int]]:
    return [Item(number, f"{'R' if number % 3 == 0 else 'A'}{number:02}", one) for number, one in enumerate(seconds)]


@given(durations, st.integers(1, 8))
def test_each_item_is_in_one_part_and_neighbours_stay_so(seconds: list[float | None], count: int) -> None:
    given_items = items(seconds)
    made = parts.cut(given_items, count)
    assert [item for part in made for item in part] == given_items
    assert len(made) <= count and all(made)


@given(durations, st.integers(1, 8))
def test_no_part_takes_longer_than_its_share_and_the_longest_item(seconds: list[float | None], count: int) -> None:
    known = [one if one is not None else 1.0 for one in seconds]
    for part in parts.cut(items(list(known)), count):
        assert sum(item.seconds or 0 for item in part) <= sum(known) / count + max(known) + 1e-6


@given(durations, st.integers(1, 8), st.integers(1, 3))
def test_what_is_exclusive_shares_no_part_with_others(seconds: list[float | None], count: int, at_once: int) -> None:
    made = parts.divided(items(seconds), Split(count, count, at_once), ("R*",))
    assert all(item.name.startswith("A") for part in made.shared for item in part)
    assert all(item.name.startswith("R") for part in made.exclusive for item in part)
    assert len(made.exclusive) <= at_once
    names = [item.name for part in [*made.shared, *made.exclusive] for item in part]
    assert Counter(names) == Counter(item.name for item in items(seconds))


@pytest.mark.parametrize(
    ("seconds", "shards", "count"),
    [
        ([10.0] * 12, 60.0, 2),
        ([10.0] * 12, 500.0, 1),
        ([10.0, None, 10.0], 10.0, 3),  # one that nobody knows takes what is usual
        ([None] * 12, 1.0, 1),  # the first time
        ([10.0] * 200, 1.0, MOST_GUESTS),
    ],
)
def test_parts_of_a_time_are_as_many_as_it_takes(seconds: list[float | None], shards: float, count: int) -> None:
    assert len(parts.divided(items(seconds), Split(shards, 1), ()).shared) == count


def test_a_program_takes_what_its_cases_took() -> None:
    last = {"unit.a": 1.0, "unit.b.c": 2.0, "units": 4.0, "stress": 8.0}
    took = suite.Request("s", Suite(), ("*",), Path("out"), last=last).took
    assert [took.get(name) for name in ("unit", "stress", "other")] == [3.0, 8.0, None]


def test_tests_of_one_program_are_one_command() -> None:
    assert by_program([("a", "1"), ("a", "2"), ("b", "3")]) == [("a", ["1", "2"]), ("b", ["3"])]


PROGRAMS = {
    "a": {"A01": "ok", "A02": "not ok", "A03": "ok", "A04": "hang"},
    "r": {"R01": "ok", "R02": "crash", "R03": "ok"},
    "z": {"Z01": "crash", "Z02": "ok", "Z03": "ok"},
}


def asked(folder: Path, shards: float, at_once: int = 2, **changes: object) -> suite.Request:
    wanted = request(folder, shards=shards, exclusive=["R*"])
    split = Split(shards, at_once)
    return suite.Request(**{**wanted.__dict__, "split": split, **changes})


@pytest.mark.parametrize("shards", [1, 2, 4, 8])
def test_the_outcomes_are_those_of_the_whole(tmp_path: Path, shards: int) -> None:
    whole = performed(request(tmp_path), Lab(PROGRAMS).boot)
    lab = Lab(PROGRAMS)
    split = performed(asked(tmp_path, shards), lab.boot)
    assert [(test.name, test.status, test.reason) for test in split.tests] == [
        (test.name, test.status, test.reason) for test in whole.tests
    ]
    assert len(set(split.outputs)) == len(split.outputs) == sum(len(guest.commands) for guest in lab.guests)
    assert Counter(test for guest in lab.guests for test in guest.ran) == Counter(test.name for test in whole.tests)
    for guest in lab.guests:
        assert len({test.startswith("R") for test in guest.ran}) <= 1, "races have guests of their own"


class Watched(Lab):
    """Notes which programs run at the same time; those of ``a`` wait until there are two."""

    def __init__(self, programs: dict[str, dict[str, str]]) -> None:
        super().__init__(programs)
        self.running: list[str] = []
        self.together: list[tuple[str, ...]] = []
        self.guard = threading.Condition()

    @contextmanager
    def boot(self) -> Iterator[FakeGuest]:
        with super().boot() as guest:
            perform = guest.perform

            def watched(program: str, words: list[str], output: Path) -> Result:
                with self.guard:
                    self.running.append(program)
                    self.together.append(tuple(self.running))
                    self.guard.notify_all()
                    if program == "a":
                        self.guard.wait_for(lambda: ("a", "a") in self.together, timeout=20)
                result = perform(program, words, output)
                with self.guard:
                    self.running.remove(program)
                return result

            guest.perform = watched  # type: ignore[method-assign]
            yield guest


def test_parts_run_beside_one_another_and_races_beside_none(tmp_path: Path) -> None:
    lab = Watched({"a": {"A01": "ok", "A02": "ok"}, "r": {"R01": "ok", "R02": "ok"}})
    run = performed(asked(tmp_path, 2), lab.boot)
    assert len(run.tests) == 4
    assert lab.together == [("a",), ("a", "a"), ("r",)]


def test_too_many_lost_guests_are_too_many_of_all_parts(tmp_path: Path) -> None:
    programs = {"a": {f"A{number:02}": "crash" for number in range(60)}}
    run = performed(asked(tmp_path, 4, at_once=1), Lab(programs).boot)
    crashed = [test for test in run.tests if test.status.name == "CRASHED"]
    assert len(crashed) == suite.MAX_CRASHES
    assert len(run.tests) == 60
    assert {test.reason for test in run.tests if test not in crashed} == {
        f"did not run: {suite.MAX_CRASHES} guests were lost before"
    }


def test_a_fault_of_one_part_keeps_what_the_others_ran(tmp_path: Path) -> None:
    class Broken(Lab):
        @contextmanager
        def boot(self) -> Iterator[FakeGuest]:
            if self.guests:
                raise InfraError("no second guest")
            with super().boot() as guest:
                yield guest

    kept: list[SuiteRun] = []
    with pytest.raises(InfraError, match="no second guest"):
        suite.run(asked(tmp_path, 2, at_once=1), Broken(PROGRAMS).boot, SILENT, kept.append)
    assert {"A01", "A02"} <= {test.name for test in kept[0].tests}


class Foreign(Lab):
    """Guests in which every program ends well."""

    @contextmanager
    def boot(self) -> Iterator[FakeGuest]:
        with super().boot() as guest:

            def perform(program: str, words: list[str], output: Path) -> Result:
                del words, output
                guest.ran.append(program)
                return Result(0)

            guest.perform = perform  # type: ignore[method-assign]
            yield guest


def test_programs_that_know_nothing_of_us_are_split_too(tmp_path: Path) -> None:
    names = ("one", "two", "three", "four")
    lab = Foreign({})
    programs = [{"name": name, "run": f"./{name}"} for name in names]
    config = Suite.model_validate({"kind": "tree", "programs": programs, "exclusive": ["two"]})
    run = performed(suite.Request("own", config, ("*",), tmp_path / "out", split=Split(2, 1)), lab.boot)
    assert [test.name for test in run.tests] == list(names), "in their order"
    assert [len(guest.commands) for guest in lab.guests] == [1, 2, 1]
