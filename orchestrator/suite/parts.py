"""A suite in parts, each in a guest of its own, several at a time; tests that want cores of their own come last."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestrator.config.suites import MOST_GUESTS
from orchestrator.host import pool
from orchestrator.progress import Progress
from orchestrator.suite.request import Boot, Guest, Request, Split, pick
from orchestrator.suite.state import State

T = TypeVar("T")

_SHORTEST = 0.001


@dataclass(frozen=True)
class Item(Generic[T]):
    """One thing to run, a test or a foreign program: its ``name``, and how many ``seconds`` it took the last time."""

    what: T
    name: str
    seconds: float | None


@dataclass(frozen=True)
class Parts(Generic[T]):
    """What runs in which guest: the ``shared`` ones beside one another, ``exclusive`` ones on cores of their own."""

    shared: Sequence[Sequence[Item[T]]]
    exclusive: Sequence[Sequence[Item[T]]]


Perform = Callable[[Sequence[T], State, Boot, Progress], None]
"""Runs what a part has, in a guest and in those that follow it."""


def divided(items: Sequence[Item[T]], split: Split, exclusive: Sequence[str]) -> Parts[T]:
    """Return items in parts of about the same time; what ``exclusive`` names (globs) shares none with others. Pure.

    Where parts are to take a time, and nobody knows that of any item, there is one.
    """
    alone = set(pick([item.name for item in items], exclusive))
    shared, own = [i for i in items if i.name not in alone], [i for i in items if i.name in alone]
    count = _count(items, split.shards)
    return Parts(cut(shared, count), cut(own, min(count, split.exclusive_at_once)))


def _count(items: Sequence[Item[T]], shards: float) -> int:
    if isinstance(shards, int):
        return shards
    known = any(item.seconds is not None for item in items)
    return max(1, min(MOST_GUESTS, math.ceil(sum(_weights(items)) / shards))) if known else 1


def _weights(items: Sequence[Item[T]]) -> list[float]:
    """Return what each item takes; one that nobody knows takes what is usual."""
    known = [item.seconds for item in items if item.seconds is not None]
    usual = statistics.median(known) if known else 1.0
    return [max(_SHORTEST, usual if item.seconds is None else item.seconds) for item in items]


def cut(items: Sequence[Item[T]], count: int) -> list[list[Item[T]]]:
    """Return items in at most ``count`` parts: neighbours stay together, and none is empty. Pure.

    No part takes longer than its share of the whole and its longest item: an item goes where its middle lies.
    """
    weights, before = _weights(items), 0.0
    total = sum(weights)
    parts: list[list[Item[T]]] = [[] for _ in range(count)]
    for item, weight in zip(items, weights, strict=True):
        parts[min(count - 1, int((before + weight / 2) * count / total))].append(item)
        before += weight
    return [part for part in parts if part]


def run(
    items: Sequence[Item[T]], request: Request, boots: Sequence[Boot], state: State, perform: Perform[T], on: Progress
) -> None:
    """Run items in parts, as many at once as the split allows; the results are in the order of the items.

    ``boots`` are the guests in which the first parts begin; the last of them is that of all others.
    """
    assert request.split
    parts = divided(items, request.split, request.suite.exclusive)
    whole = [*parts.shared, *parts.exclusive]
    states, places = _states(whole), {item.name: number for number, item in enumerate(items)}
    waiting = set(range(len(whole)))

    def one(number: int) -> None:
        waiting.discard(number)
        own, boot = states[number], boots[min(number, len(boots) - 1)]
        named = PartProgress(f"part {number + 1} of {len(whole)}", on)
        perform([item.what for item in whole[number]], own, boot, named if len(whole) > 1 else on)

    try:
        with state.missing(lambda: [item.name for number in waiting for item in whole[number]]):
            pool.each(one, range(len(parts.shared)), request.split.at_once)
            pool.each(one, range(len(parts.shared), len(whole)), request.split.exclusive_at_once)
    finally:  # what ran before a fault is not lost
        for own in states:
            state.count(own)
            state.add(own)
        state.results.sort(key=lambda test: _place(test.name, places))


def _place(test: str, places: Mapping[str, int]) -> int:
    """Return the place of a test, or of the program that it is a case of; what did not run at all stands first."""
    while test not in places and "." in test:
        test = test.rpartition(".")[0]
    return places.get(test, -1)


def _states(parts: Sequence[Sequence[Item[T]]]) -> list[State]:
    """Return a state for each part; each of them knows what the others lost."""
    starts = [sum(map(len, parts[:number])) for number in range(len(parts))]
    states = [State(number=start) for start in starts]  # no command without a result: their outputs have other names
    for state in states:
        state.beside = [other for other in states if other is not state]
    return states


def beginning_with(guest: Guest, boot: Boot) -> Boot:
    """Return what yields a guest that is there already, and then those that are booted."""
    first = [guest]

    def following() -> AbstractContextManager[Guest]:
        return contextlib.nullcontext(first.pop()) if first else boot()

    return following


@dataclass(frozen=True)
class PartProgress:
    """Progress of one part of a suite: its figures are its own."""

    part: str
    progress: Progress

    def note(self, text: str) -> None:
        """Say a line."""
        self.progress.note(text)

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        """Show a figure, with the part that it is of."""
        self.progress.advance(f"{what}, {self.part}", done, total, left)
