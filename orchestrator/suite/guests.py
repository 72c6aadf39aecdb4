"""The guests of a job, one after the other: the boot stage brings up the first, the suites take them as they need."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from orchestrator.guest.machine import Guest
from orchestrator.model import rundir

Boot = Callable[[str], AbstractContextManager[Guest]]
"""Boots a guest, given a name for its folder."""


class Guests:
    """A line of guests. The first is up inside the ``with`` block; what still runs is gone after it.

    ``later`` starts those behind the first. ``number`` is its own: a job that goes on later has others before.
    """

    def __init__(self, boot: Boot, later: Boot, number: int = 1) -> None:
        starts = itertools.chain([boot], itertools.repeat(later))
        self._boots = (start(rundir.boot(k)) for k, start in enumerate(starts, number))
        self._first = contextlib.ExitStack()
        self._waiting: list[Guest] = []
        self._lock = threading.Lock()
        self.count = 0

    def __enter__(self) -> Guests:
        self._waiting.append(self._first.enter_context(next(self._boots)))
        return self

    def __exit__(self, *error: object) -> None:
        self._first.close()

    @contextlib.contextmanager
    def following(self) -> Iterator[Guest]:
        """Yield the next guest; it ends with the block. From any thread."""
        # Only the choice is guarded: a generator that two threads enter raises, but guests come up side by side.
        with self._lock:
            self.count += 1
            first = self._waiting.pop() if self._waiting else None
            other = None if first else next(self._boots)
        if first:
            with self._first:
                yield first
        elif other:
            with other as guest:
                yield guest
