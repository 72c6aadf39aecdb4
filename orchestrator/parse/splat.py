"""The console → splats. What a splat looks like is data: rules.yaml.

A splat runs from its first line to ``---[ end trace``, the ``end`` of its rule, or the last line that looks like one of
its body, whichever comes first, and never beyond the first line of another bug. It is charged to the test whose
``wpci: begin NAME`` stood last on the console and had no ``wpci: end NAME`` yet.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from orchestrator import plain
from orchestrator.config.schema import AllowedSplat
from orchestrator.model import Splat
from orchestrator.parse import markers
from orchestrator.parse.splat_rules import Rule, Rules, load_rules

__all__ = ["Rules", "expired", "fatal_matcher", "load_rules", "scan", "titles"]

GAP = 12
"""Lines of something else that may stand inside a splat."""

MOST_LINES = 300
"""Lines of a splat's text that are kept, and how far the ``end`` of a rule may be."""

MOST_ALIKE = 200
"""Splats of one title that are kept: a broken page table can print one a page."""

_PREFIX = re.compile(r"(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?|^\[ *[TC]\d+\] ?")
_END = re.compile(r"---\[ end (?:trace|Kernel panic)")
_FRAME = re.compile(r"^\s*(?:\[<[0-9a-f]+>\]\s*)?([A-Za-z_][\w.]*)\+0x[0-9a-f]+/0x[0-9a-f]+")
_SUFFIX = re.compile(r"\.(?:isra|constprop|part|cold|llvm)(?:\.\d+)*")
_ROOTS = "arch|block|crypto|drivers|fs|include|init|io_uring|ipc|kernel|lib|mm|net|security|sound|virt"
_VOLATILE = (
    (re.compile(rf"(?<!\S)\.{{0,2}}/\S*?(?=(?:{_ROOTS})/)"), ""),  # where the tree lay when it was built
    (re.compile(r"\+0x[0-9a-f]+/0x[0-9a-f]+"), ""),
    (_SUFFIX, ""),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,16}\b"), "ADDR"),
    (re.compile(r"(?<![A-Za-z0-9_])-?\d+(?:\.\d+)?\b"), "N"),
    (re.compile(r"\s+"), " "),
)


@dataclass
class _Found:
    """A splat while it is read. Lines count from 0; ``last`` is the last one known to belong to it."""

    rule: Rule
    match: re.Match[str]
    first: int
    last: int
    test: str | None
    fatal: bool
    closed: bool = False

    @property
    def reach(self) -> int:
        """How many strange lines in a row it may hold."""
        return MOST_LINES if self.rule.end else GAP


class _Scanner:
    """The state of one pass over a console; private to ``scan``."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.found: list[_Found] = []
        self.running = markers.Running()
        self.seen: Counter[str] = Counter()

    def line(self, number: int, message: str, whole: bool) -> None:
        """Take one line. The unfinished last line may start a splat; nobody knows whether it belongs to one."""
        if self.running.take(message):
            return
        if not self._closes(number, message) and not self._starts(number, message) and whole:
            self._extends(number, message)

    @property
    def _open(self) -> _Found | None:
        return self.found[-1] if self.found and not self.found[-1].closed else None

    def _closes(self, number: int, message: str) -> bool:
        splat = self._open
        if not splat or number - splat.last > splat.reach:
            return False
        if not (_END.search(message) or (splat.rule.end and splat.rule.end.search(message))):
            return False
        splat.last, splat.closed = number, True
        return True

    def _starts(self, number: int, message: str) -> bool:
        hit = self.rules.match(message)
        if not hit:
            return False
        rule, match = hit
        self.seen[rule.id] += 1
        if self.seen[rule.id] < rule.nth:
            return True
        last = self.found[-1] if self.found else None
        if last and rule.may_join(last.rule, number - last.last, last.closed or number - last.last > last.reach):
            last.last, last.closed, last.fatal = number, False, last.fatal or rule.fatal
            return True
        self.found.append(_Found(rule, match, number, number, self.running.last, rule.fatal))
        if rule.nth > 1:  # a new boot: whatever ran is gone
            self.running.names.clear()
        return True

    def _extends(self, number: int, message: str) -> None:
        splat = self._open
        if splat and number - splat.last <= splat.reach and self.rules.body.search(message):
            splat.last = number


def scan(console: str, rules: Rules, allow: Sequence[AllowedSplat], today: date) -> tuple[Splat, ...]:
    """Return the splats of a console, in their order.

    The console may be cut anywhere and may hold control bytes. An entry of ``allow`` holds up to and with the day it
    expires; it never allows a fatal splat.
    """
    current = [entry for entry in allow if _expiry(entry) >= today]
    splats = _splats(console, rules)
    return tuple(
        Splat(**{**vars(splat), "allowed_by": _allowed_by(splat, current)}) if current else splat for splat in splats
    )


def expired(splats: Sequence[Splat], allow: Sequence[AllowedSplat], today: date) -> tuple[str, ...]:
    """Return one line for each entry that would have allowed one of these splats, had its day not passed."""
    old = [entry for entry in allow if _expiry(entry) < today]
    return tuple(
        f"the allow entry for {entry.title!r} expired on {entry.expires}: {entry.reason} ({entry.link})"
        for entry in old
        if any(splat.allowed_by is None and _fits(entry, splat) for splat in splats)
    )


def titles(splats: Sequence[Splat]) -> tuple[str, ...]:
    """Return each title once, in the order of appearance."""
    return tuple(dict.fromkeys(splat.title for splat in splats))


def fatal_matcher(rules: Rules) -> Callable[[str], bool]:
    """Return a function that says of each line of one guest's console whether the guest is lost with it.

    It counts banners, so each boot needs a matcher of its own, fed with every line in order.
    """
    seen: Counter[str] = Counter()

    def is_fatal(line: str) -> bool:
        message = _message(plain.clean(line))
        hit = None if markers.MARKER.search(message) else rules.match(message)
        if not hit:
            return False
        seen[hit[0].id] += 1
        return hit[0].fatal and seen[hit[0].id] >= hit[0].nth

    return is_fatal


def _splats(console: str, rules: Rules) -> Iterator[Splat]:
    whole, rest = plain.split(console)
    lines = [*whole, rest]
    scanner = _Scanner(rules)
    for number, line in enumerate(lines):
        scanner.line(number, _message(line), number < len(whole))
    alike: Counter[str] = Counter()
    for found in scanner.found:
        splat = _build(found, lines, rules)
        alike[splat.title] += 1
        if alike[splat.title] <= MOST_ALIKE:
            yield splat


def _message(line: str) -> str:
    """Return a line without the time stamps and callers that printk put before, or into, it."""
    return _PREFIX.sub("", line)


def _build(found: _Found, lines: Sequence[str], rules: Rules) -> Splat:
    text = lines[found.first : found.last + 1][:MOST_LINES]
    groups = {name: value or "" for name, value in found.match.groupdict().items()}
    title = found.rule.title.format_map(groups)
    if where := _where(found.rule, [_message(line) for line in text], rules):
        title += found.rule.suffix.format(where=where)
    return Splat(
        kind=found.rule.kind,
        title=_normal(title),
        first_line=found.first + 1,
        last_line=found.last + 1,
        text="\n".join(text),
        fatal=found.fatal,
        test=found.test,
    )


def _where(rule: Rule, messages: Sequence[str], rules: Rules) -> str | None:
    for pattern in rule.where:
        candidates = (pattern.search(m) for m in messages) if pattern else map(_FRAME.match, messages)
        for found in candidates:
            if found and pattern:
                return found["where"]
            if found and not rules.skip_frames.fullmatch(_SUFFIX.sub("", found[1])):
                return found[1]
    return None


def _normal(title: str) -> str:
    """Take out of a title what differs from boot to boot: addresses, offsets, numbers, compiler suffixes."""
    for pattern, instead in _VOLATILE:
        title = pattern.sub(instead, title)
    return title.strip()[:200]


def _expiry(entry: AllowedSplat) -> date:
    return date.fromisoformat(entry.expires)


def _fits(entry: AllowedSplat, splat: Splat) -> bool:
    title = entry.title == splat.title or fnmatch.fnmatchcase(splat.title, entry.title)
    return title and not splat.fatal and any(fnmatch.fnmatchcase(splat.test or "", glob) for glob in entry.tests)


def _allowed_by(splat: Splat, allow: Sequence[AllowedSplat]) -> str | None:
    return next((f"{entry.reason} ({entry.link})" for entry in allow if _fits(entry, splat)), None)
