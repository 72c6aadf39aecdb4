"""What a reader is shown of a series, in which order, and what of it makes one row. Pure; for every kind of report."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from orchestrator.model import Splat, Transition, Verdict

_ORDER = (Verdict.FAIL, Verdict.INFRA, Verdict.PASS, Verdict.SKIP)


def changed(transitions: Iterable[Transition]) -> list[list[Transition]]:
    """Return what a reviewer looks for: charged first, then what changed, then the rest that does not simply work.

    What one test shows alike on several backings (``Z07_x.memfd``, ``Z07_x.tmpfs``) stands together.
    """
    shown = sorted((change for change in transitions if _is_of_interest(change)), key=rank)
    alike = itertools.groupby(shown, lambda c: (c.suite, stem(c), c.base, c.patched, c.verdict, c.note))
    return [list(rows) for _, rows in alike]


def _is_of_interest(change: Transition) -> bool:
    return change.verdict is not Verdict.PASS or change.words != "works→works" or bool(change.note)


def rank(change: Transition) -> tuple[int, bool, str, str]:
    """Return what transitions are sorted by: what is charged comes first."""
    return _ORDER.index(change.verdict), change.base.word == change.patched.word, change.suite, change.test


def stem(change: Transition) -> str:
    """Return the name of a test without its backing."""
    return change.test.partition(".")[0]


def by_title(splats: Sequence[Splat]) -> dict[str, list[Splat]]:
    """Return splats by their titles, in the order in which these come first."""
    groups: dict[str, list[Splat]] = {}
    for splat in splats:
        groups.setdefault(splat.title, []).append(splat)
    return groups
