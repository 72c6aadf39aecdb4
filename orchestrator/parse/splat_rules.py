"""What a splat looks like: the rules of rules.yaml as values, and which of them a line fits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.parse import printk
from orchestrator.parse.printk import Origin

ALWAYS = "always"
"""The list of ``skip_frames`` that holds for every rule."""


@dataclass(frozen=True)
class Source:
    """Where a title gets its function or place from: a pattern, or, without one, the stack in the way of ``word``."""

    word: str
    pattern: re.Pattern[str] | None = None


GROUPS = frozenset({"where", "exact", "place", "reason"})
"""What a pattern of ``where`` can find: a function, one that counts whatever the lists say, a file, words."""

WORDS = ("frame", "pointer", "outermost")
"""What ``where`` can name besides a pattern."""


@dataclass(frozen=True)
class Rule:
    """One kind of complaint; see rules.yaml for what the fields mean."""

    id: str
    kind: str
    start: re.Pattern[str]
    title: str
    aliases: tuple[str, ...]
    where: tuple[Source, ...]
    skip: re.Pattern[str]
    suffix: str
    end: re.Pattern[str] | None
    fatal: bool
    joins: frozenset[str]
    late: int
    nth: int
    least: int
    headless: bool
    names: bool
    aside: bool
    any_caller: bool
    bare: bool
    unexplained: bool
    loses: bool
    harmless: str | None

    def fits(self, origin: Origin) -> bool:
        """Whether a line of that origin can start a splat. A banner in doubt is what a program prints of the kernel."""
        return self.bare or origin in (Origin.KERNEL, Origin.UNKNOWN) or (origin is Origin.DOUBTFUL and self.nth == 1)

    def may_join(self, other: Rule, lines_since: int, closed: bool) -> bool:
        """Whether a line of this rule belongs to a splat of the other one."""
        near = not closed or lines_since <= self.late
        return near and ("*" in self.joins or other.id in self.joins)


@dataclass(frozen=True)
class Rules:
    """A rule set: the first rule that fits a line counts, unless the line only quotes."""

    rules: tuple[Rule, ...]
    at_start: re.Pattern[str]
    anywhere: re.Pattern[str]
    wordings: tuple[tuple[str, ...], ...]
    quotes: re.Pattern[str]
    reporting: re.Pattern[str]
    entries: re.Pattern[str]
    body: re.Pattern[str]

    @property
    def headless(self) -> Rule | None:
        """The rule for a report whose first line is lost."""
        return next((rule for rule in self.rules if rule.headless), None)

    def match(self, line: printk.Line) -> tuple[Rule, re.Match[str]] | None:
        """Return the rule that the line starts a splat of, and its match."""
        if not (self.at_start.match(line.message) or self.anywhere.search(line.message)):
            return None  # as nearly every line: two patterns cost a third of eighty
        for rule in self.rules:
            if rule.fits(line.origin) and (match := rule.start.search(line.message)):
                return None if self.quotes.search(line.message) else (rule, match)
        return None
