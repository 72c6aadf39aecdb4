"""Which of the tests before a red one make it red: looked for by halves.

Pure but for reading consoles, and for what a trial does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator.guest.protocol import Row, rows
from orchestrator.suite import state

Tests = tuple[str, ...]


def before(test: str, consoles: Sequence[Path]) -> Tests:
    """Return the tests that ran before this one in the guest in which it ran first, in their order."""
    for console in consoles:
        windows = state.seen(console)
        begun = {*windows.ended, *windows.names}
        if test in begun:
            return tuple(name for name in _earlier(test, rows(console) or ()) if name in begun)
    return ()


def _earlier(test: str, given: Sequence[Row]) -> Iterator[str]:
    for name in (name for row in given for name in row.tests):
        if name == test:
            return
        yield name


def shortest(tests: Tests, is_red: Callable[[Tests], bool | None], over: Callable[[], bool]) -> tuple[Tests, bool]:
    """Return a list of tests that is still red, of which none can be left out, and whether that is known.

    ``tests`` are red. What ran last is tried first, in halves, then in smaller parts (delta debugging). Where the time
    is ``over``, the list is the shortest so far; so it is where a trial without one of them says nothing (None).
    """
    parts, known = 2, True
    while len(tests) > 1:
        known = True
        for fewer in _fewer(tests, parts):
            if over():
                return tests, False
            shown = is_red(fewer)
            if shown:
                parts = 2 if len(fewer) <= math.ceil(len(tests) / parts) else max(parts - 1, 2)
                tests = fewer
                break
            known = known and shown is not None
        else:
            if parts >= len(tests):
                break
            parts = min(2 * parts, len(tests))
    return tests, known or len(tests) == 1


def _fewer(tests: Tests, parts: int) -> Iterator[Tests]:
    """Yield each part, the last first, then what is left without each; those without any test."""
    size = math.ceil(len(tests) / parts)
    starts = range(0, len(tests), size)
    yield from (tests[start : start + size] for start in reversed(starts))
    if len(starts) > 2:
        yield from (tests[:start] + tests[start + size :] for start in starts)
