"""Tests each in a guest of its own, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestrator.host import pool
from orchestrator.host.process import Deadline
from orchestrator.progress import Progress
from orchestrator.suite.request import Boot, Guest, Request, pick
from orchestrator.suite.state import State

T = TypeVar("T")


@dataclass(frozen=True)
class Tasks(Generic[T]):
    """What is to be done: ``perform`` does one item in a guest, and puts what comes of it into a state of its own."""

    items: Sequence[T]
    name: Callable[[T], str]
    perform: Callable[[T, Guest, State], object]


def run(tasks: Tasks[T], request: Request, boot: Boot, state: State, deadline: Deadline, progress: Progress) -> None:
    """Do each item in a guest of its own, ``request.at_once`` at a time; the results are in the order of the items.

    Those that want their cores to themselves come behind the others. After the first red none begins; those that run
    beside it come to their end. A guest that its kernel took costs its own test only; the host is given up.
    """
    lock, open_names = threading.Lock(), [tasks.name(item) for item in tasks.items]
    states = [State(number=number) for number in range(len(tasks.items))]

    def one(number: int) -> None:
        if state.stopped_at or state.given_up or deadline.expired:
            return
        own = states[number]
        with own.guest(boot) as guest:
            tasks.perform(tasks.items[number], guest, own)
        with lock:  # what is shared are the counts; results are put together behind the pool, in the order of the items
            open_names.remove(tasks.name(tasks.items[number]))
            state.faults += own.faults
            state.lost += len(own.faults)
            state.stopped_at = state.stopped_at or request.first_red(own.results)
            left = request.left(open_names)
            ended = len(tasks.items) - len(open_names)
            at_once = left / request.at_once if left else None
            progress.advance(f"tests of {request.name}", ended, len(tasks.items), at_once)

    alone = set(pick(open_names, request.suite.exclusive))
    exclusive = [number for number, item in enumerate(tasks.items) if tasks.name(item) in alone]
    shared = [number for number in range(len(tasks.items)) if number not in set(exclusive)]
    with state.missing(lambda: open_names):
        try:
            pool.each(one, shared, request.at_once)
            pool.each(one, exclusive, request.exclusive_at_once)
        finally:  # what ran before a fault is not lost
            for own in states:
                state.add(own)
    if not state.stopped_at:
        state.give_up(open_names, deadline)
