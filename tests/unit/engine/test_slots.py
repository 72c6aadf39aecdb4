"""Who may work at once: what fits, whose turn it is, and what ends a wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.schema import Machine
from orchestrator.engine import slots
from orchestrator.engine.slots import Capacity, Need, Slots
from orchestrator.errors import Cancelled
from orchestrator.host.process import Deadline

GIB = 2**30
needs = st.lists(st.builds(Need, st.integers(1, 8), st.integers(1, 4 * GIB)), min_size=1, max_size=6)


def lanes_of(where: Capacity) -> Slots:
    """Return slots that pin nothing: this machine may not have the cores."""
    return Slots(where, pin=lambda _: None)


def room(cores: int, memory: int = 64 * GIB, guests: int | None = None) -> Capacity:
    return Capacity(frozenset(range(cores)), memory, guests)


@pytest.mark.parametrize(
    ("cores", "memory", "cpus", "guests", "most"),
    [
        (2, 64, 2, None, 1),
        (8, 64, 2, None, 4),
        (8, 64, 3, None, 2),
        (16, 5, 2, None, 2),  # memory is short
        (1, 64, 2, None, 1),  # one alone always runs
        (2, 64, 2, 5, 5),  # a person knows better
    ],
)
def test_as_many_guests_as_cores_and_memory_allow(
    cores: int, memory: int, cpus: int, guests: int | None, most: int
) -> None:
    assert room(cores, memory * GIB, guests).most(Need.of(Machine(cpus=cpus, memory=2 * GIB))) == most


@given(needs, st.integers(1, 16), st.integers(1, 16))
def test_what_fits_takes_no_more_than_there_is(wanted: list[Need], cores: int, memory: int) -> None:
    fits = room(cores, memory * GIB).fit(wanted)
    within = sum(n.cpus for n in wanted) <= cores and sum(n.memory for n in wanted) <= memory * GIB
    assert fits == (within or len(wanted) == 1)


def test_the_numbers_are_said() -> None:
    wanted = [Need(1, GIB), Need(2, GIB // 2)]
    assert room(8).words(wanted) == "guests: 4 at a time: 8 cores and 64.0 GiB here, the largest takes 2 and 1.0"
    assert room(2, guests=3).words(wanted) == "guests: 3 at a time, as asked for"


def test_this_machine_has_room() -> None:
    found = slots.here()
    assert found.cores and found.memory >= 0


def test_a_build_keeps_to_its_cores_and_gives_them_back() -> None:
    before = os.sched_getaffinity(0)
    of = Slots(slots.here(guests=1))
    with of.guest(Need(len(before), 1), 0), of.build(1):
        assert os.sched_getaffinity(0) == {max(before)}
    assert os.sched_getaffinity(0) == before


class Crowd:
    """Threads that stay in a lane until they are let go."""

    def __init__(self, of: Slots) -> None:
        self.slots = of
        self.inside: set[str] = set()
        self.sent_home: set[str] = set()
        self._moved = threading.Condition()
        self._leave: dict[str, threading.Event] = {}

    def guest(self, name: str, cpus: int, turn: int) -> None:
        self._enter(name, lambda: self.slots.guest(Need(cpus, 1), turn))

    def build(self, name: str, turn: int) -> None:
        self._enter(name, lambda: self.slots.build(turn))

    def _enter(self, name: str, lane: Callable[[], AbstractContextManager[None]]) -> None:
        self._leave[name] = threading.Event()

        def stay() -> None:
            try:
                with lane(), self._mark(name):
                    self._leave[name].wait()
            except Cancelled:
                with self._moved:
                    self.sent_home.add(name)
                    self._moved.notify_all()

        threading.Thread(target=stay, daemon=True).start()
        self.await_(lambda: self._stands(name))

    def _stands(self, name: str) -> bool:
        """Whether a thread is inside, or waits: then nothing moves until somebody leaves."""
        waiting = len(self.slots._waiting) + len(self.slots._builders)
        return name in self.inside or len(self.inside) + waiting == len(self._leave)

    @contextmanager
    def _mark(self, name: str) -> Iterator[None]:
        with self._moved:
            self.inside.add(name)
            self._moved.notify_all()
        yield
        with self._moved:
            self.inside.remove(name)

    def await_(self, condition: Callable[[], bool]) -> None:
        deadline = Deadline.after(120)
        with self._moved:
            while not condition():
                assert not deadline.expired, f"inside: {self.inside}"
                self._moved.wait(0.01)

    def leave(self, name: str) -> None:
        self._leave.pop(name).set()

    def settles_at(self, *names: str) -> bool:
        self.await_(lambda: self.inside == set(names))
        return True


def test_guests_begin_in_their_turn_and_none_overtakes() -> None:
    crowd = Crowd(lanes_of(room(4)))
    crowd.guest("first", 3, 0)
    crowd.guest("large", 3, 1)
    crowd.guest("small", 1, 2)
    assert crowd.inside == {"first"}
    crowd.leave("first")
    assert crowd.settles_at("large", "small")


def test_a_build_takes_what_guests_leave_and_lets_them_go_first() -> None:
    of = lanes_of(room(4))
    crowd = Crowd(of)
    crowd.guest("guest", 3, 0)
    crowd.build("build", 1)
    assert crowd.settles_at("guest", "build") and of._build == frozenset({3})
    crowd.build("other", 2)
    crowd.guest("next", 3, 3)
    assert crowd.inside == {"guest", "build"}
    crowd.leave("guest")
    assert crowd.settles_at("build", "next")
    crowd.leave("build")
    assert crowd.settles_at("next", "other")
    crowd.leave("next")
    crowd.leave("other")
    assert crowd.settles_at()


def test_a_build_waits_where_guests_have_every_core_and_gets_all_when_they_are_gone() -> None:
    of = lanes_of(room(2))
    crowd = Crowd(of)
    crowd.guest("guest", 2, 0)
    crowd.build("build", 1)
    assert crowd.inside == {"guest"}
    crowd.leave("guest")
    assert crowd.settles_at("build") and of._build == frozenset({0, 1})


def test_a_guest_larger_than_the_machine_runs_alone() -> None:
    crowd = Crowd(lanes_of(room(1)))
    crowd.guest("large", 8, 0)
    crowd.guest("small", 1, 1)
    assert crowd.inside == {"large"}
    crowd.leave("large")
    assert crowd.settles_at("small")


def test_where_a_person_said_how_many_cores_do_not_count() -> None:
    crowd = Crowd(lanes_of(room(1, guests=2)))
    crowd.build("build", 0)
    for number, name in enumerate(("one", "two", "three")):
        crowd.guest(name, 4, number)
    assert crowd.inside == {"build", "one", "two"}
    crowd.leave("two")
    assert crowd.settles_at("build", "one", "three")


def test_jobs_of_two_runs_may_have_one_turn() -> None:
    crowd = Crowd(lanes_of(room(1)))
    crowd.guest("first", 1, 0)
    crowd.guest("mine", 1, 3)
    crowd.guest("theirs", 1, 3)
    crowd.build("build", 3)
    crowd.build("other", 3)
    for leaving, following in (("first", "mine"), ("mine", "theirs"), ("theirs", "build"), ("build", "other")):
        crowd.leave(leaving)
        assert crowd.settles_at(following)


def test_closing_sends_home_who_waits() -> None:
    of = lanes_of(room(1))
    crowd = Crowd(of)
    crowd.guest("guest", 1, 0)
    crowd.guest("late", 1, 1)
    crowd.build("build", 2)
    of.close()
    crowd.await_(lambda: crowd.sent_home == {"late", "build"})
    assert crowd.inside == {"guest"}
