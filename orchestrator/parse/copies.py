"""A log into which two recorders wrote, a serial console and netconsole say: each line stands there twice (pure).

Where the kernel stamps its lines, ``printk_log`` knows a copy by its stamp. Without stamps a line that comes twice is
not yet one: its neighbours must come twice as well, and no more than that.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator

_AHEAD = 32
"""Lines that are looked at behind a line that comes twice."""
_UNITS = 8
"""Lines of the text, each with its copies, by which it is decided: before, and behind."""
_LEAST = 4

Lines = Iterable[tuple[str, bool]]


def without(lines: Lines) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a log, each with whether it is whole, and nothing in the place of a copy."""
    source, ahead = iter(lines), deque[tuple[str, bool]]()
    before: deque[int] = deque(maxlen=_UNITS)
    last = ""
    while True:
        ahead.extend(itertools.islice(source, _AHEAD - len(ahead)))
        if not ahead:
            return
        text, _ = here = ahead.popleft()
        yield here
        if not text:
            continue
        if text != last:
            before.append(0)
        last = text
        before[-1] += 1
        if ahead and text == ahead[0][0] and _is_doubled([*before][:-1] + _counts([text, *(t for t, _ in ahead)])):
            before[-1] += 1
            yield "", ahead.popleft()[1]


def _counts(lines: list[str]) -> list[int]:
    """Return how often each of the next lines comes in a row; blank ones do not count."""
    counts: list[int] = []
    last = ""
    for line in filter(None, lines):
        if line == last:
            counts[-1] += 1
        elif len(counts) == _UNITS:
            break
        else:
            counts.append(1)
        last = line
    return counts


def _is_doubled(counts: list[int]) -> bool:
    """Whether lines come twice as a rule. What comes more often shows nothing."""
    twice = counts.count(2)
    return twice >= _LEAST and twice >= 3 * sum(count % 2 for count in counts)
