"""How a red test went without the tests that ran before it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.bounds import Bounded
from orchestrator.model.words import Status

_MOST_NAMES = 8
"""Tests that are named in words; all are in result.json."""


@dataclass(frozen=True)
class Alone(Bounded):
    """A red test that ran again, alone in fresh clones of a booted guest.

    ``tries`` are its outcomes there, where it came to run. Where it was green in each, ``behind`` are its outcomes
    after all the ``before`` that ran in its guest. Where those are red, and it stays green alone, ``after`` is the
    shortest list of them with which it is red again.
    ``shortest`` is False where the list is not known to be that: the time was up, or it did not come to run after them.
    """

    suite: str
    test: str
    red: Status
    tries: tuple[Status, ...]
    before: int = 0
    after: tuple[str, ...] = ()
    shortest: bool = True
    behind: tuple[Status, ...] = ()

    @property
    def failures(self) -> int:
        """How many of the tries were red."""
        return sum(self.is_red(status) for status in self.tries)

    @property
    def polluted(self) -> bool:
        """Whether it is red only after other tests."""
        return bool(self.after)

    def is_red(self, status: Status) -> bool:
        """Whether an outcome is as bad as that in which it was noticed."""
        return status.broken or status is self.red

    @property
    def words(self) -> str:
        """What came of it, in one line."""
        if not self.tries:
            return "not known to be red alone: it had no result there"
        count = f"{self.failures} of {len(self.tries)}"
        if self.failures == len(self.tries):
            return f"red alone in a fresh guest, {count} times"
        if self.failures:
            return f"red alone in a fresh guest in {count} tries"
        green = f"green alone in a fresh guest, {_times(len(self.tries))}"
        if self.after:
            return f"red only after {self._named}; {green}"
        if not self.shortest:
            return f"{green}; how it goes after the {self.before} tests before it is not known"
        if not self.before:
            return f"{green}; no test ran before it"
        if red := sum(map(self.is_red, self.behind)):
            return f"{green}; red in {red} of {len(self.behind)} tries after the {self.before} tests before it"
        return f"{green}, and after the {self.before} tests before it"

    @property
    def _named(self) -> str:
        more = f" and {len(self.after) - _MOST_NAMES} more" if len(self.after) > _MOST_NAMES else ""
        listed = ", ".join(self.after[:_MOST_NAMES]) + more
        return listed if self.shortest else f"{listed} (fewer of them may do)"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
