"""The console → splats. What a splat looks like is data: rules.yaml.

A splat runs from its first line to ``---[ end trace``, the ``end`` of its rule, or the last line that looks like one of
its body, whichever comes first, and never beyond the first line of another bug. It is charged to the test whose
``wpci: begin NAME`` stood last on the console and had no ``wpci: end NAME`` yet. Lines that programs wrote are none of
the kernel's, and those of another caller belong to another splat.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain, islice
from pathlib import Path

from orchestrator.config.schema import AllowedSplat
from orchestrator.guest.protocol import Windows
from orchestrator.model import Splat
from orchestrator.parse import copies, printk, printk_log, splat_scanner, splat_title
from orchestrator.parse.rules_file import load_rules
from orchestrator.parse.splat_rules import Rules
from orchestrator.parse.splat_scanner import MOST_LINES, Report
from orchestrator.text import plain

__all__ = ["Rules", "expired", "fatal_matcher", "load_rules", "scan", "scan_file"]

Read = Callable[[], Iterable[tuple[str, bool]]]
"""Reads a console from its beginning: its lines, and whether each has its end."""

MOST_ALIKE = 200
"""Splats of one title that are kept, and the first in each test: a broken page table can print one a page."""


def scan(
    console: str, rules: Rules, allow: Sequence[AllowedSplat], today: date, windows: Windows | None = None
) -> tuple[Splat, ...]:
    """Return the splats of a console, in their order; ``windows`` knows whose markers are to be believed.

    The console may be cut anywhere and may hold control bytes. An entry of ``allow`` holds up to and with the day it
    expires; it never allows a fatal splat.
    """
    whole, rest = plain.split(console)
    return _scanned(lambda: chain(((line, True) for line in whole), [(rest, False)]), rules, allow, today, windows)


def scan_file(path: Path, rules: Rules, allow: Sequence[AllowedSplat], today: date) -> tuple[Splat, ...]:
    """Return the splats of a saved console, as ``scan`` does, without holding all of it in memory."""
    return _scanned(lambda: plain.lines(plain.pieces(path)), rules, allow, today, None)


def _scanned(
    read: Read, rules: Rules, allow: Sequence[AllowedSplat], today: date, windows: Windows | None
) -> tuple[Splat, ...]:
    current = [entry for entry in allow if _expiry(entry) >= today]
    everything = _splats(lambda: copies.without(read()), rules, windows or Windows())
    return tuple(replace(splat, allowed_by=splat.allowed_by or _allowed_by(splat, current)) for splat in everything)


def expired(splats: Sequence[Splat], allow: Sequence[AllowedSplat], today: date) -> tuple[str, ...]:
    """Return one line for each entry that would have allowed one of these splats, had its day not passed."""
    old = [entry for entry in allow if _expiry(entry) < today]
    return tuple(
        f"the allow entry for {entry.title!r} expired on {entry.expires}: {entry.reason} ({entry.link})"
        for entry in old
        if any(splat.allowed_by is None and _fits(entry, splat) for splat in splats)
    )


def fatal_matcher(rules: Rules) -> Callable[[str], bool]:
    """Return a function that says of each line of one guest's console whether the guest is lost with it.

    It counts banners, so each guest needs a matcher of its own, fed with every line in order.
    """
    return splat_scanner.Watch(rules).is_fatal


def _splats(read: Read, rules: Rules, windows: Windows) -> Iterator[Splat]:
    log, scanner = printk_log.Log(), splat_scanner.Scanner(rules, windows)
    for number, (text, whole) in enumerate(read()):
        if text:
            scanner.line(number, log.take(printk.bounded(text)), whole)
    reported = scanner.reported()
    alike: Counter[str] = Counter()
    during: set[tuple[str, str | None]] = set()
    for report, own in zip(reported, _own_lines(read, reported), strict=True):
        splat = _build(report, own, rules)
        alike[splat.title] += 1
        if alike[splat.title] <= MOST_ALIKE or (splat.title, splat.test) not in during:
            during.add((splat.title, splat.test))
            yield splat


def _own_lines(read: Read, reported: Sequence[Report]) -> list[list[tuple[str, printk.Line]]]:
    """Read a console once more for the lines that belong to its splats: it may be larger than memory."""
    own: list[list[tuple[str, printk.Line]]] = [[] for _ in reported]
    if not reported:
        return own
    log, began, end = printk_log.Log(), 0, max(report.end for report in reported)
    running: list[int] = []
    for number, (text, _) in enumerate(islice(read(), end + 1)):
        line = log.take(printk.bounded(text))
        while began < len(reported) and reported[began].first <= number:
            running.append(began)
            began += 1
        running = [index for index in running if reported[index].end >= number]
        for index in running:
            if text and (reported[index].concerns(line) or not line.caller):
                own[index].append((printk.bounded(text), line))
    return own


def _build(report: Report, own: Sequence[tuple[str, printk.Line]], rules: Rules) -> Splat:
    messages = [line.message for _, line in own if report.concerns(line)]
    title, *others = splat_title.titles(rules, report.rule, report.groups, messages)
    return Splat(
        kind=report.rule.kind,
        title=title,
        other_titles=tuple(others),
        first_line=report.first + 1,
        last_line=report.last + 1,
        text="\n".join(text for text, _ in own[:MOST_LINES]),
        fatal=report.fatal,
        test=report.test,
        allowed_by=report.rule.harmless,
    )


def _expiry(entry: AllowedSplat) -> date:
    return date.fromisoformat(entry.expires)


def _fits(entry: AllowedSplat, splat: Splat) -> bool:
    names = (splat.title, *splat.other_titles)
    title = any(entry.title == name or fnmatch.fnmatchcase(name, entry.title) for name in names)
    return title and not splat.fatal and any(fnmatch.fnmatchcase(splat.test or "", glob) for glob in entry.tests)


def _allowed_by(splat: Splat, allow: Sequence[AllowedSplat]) -> str | None:
    return next((f"{entry.reason} ({entry.link})" for entry in allow if _fits(entry, splat)), None)
