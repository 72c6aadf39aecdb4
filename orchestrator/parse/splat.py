"""The console → splats. What a splat looks like is data: rules.yaml.

A splat runs from its first line to ``---[ end trace``, the ``end`` of its rule, or the last line that looks like one of
its body, whichever comes first, and never beyond the first line of another bug. It is charged to the test whose
``wpci: begin NAME`` stood last on the console and had no ``wpci: end NAME`` yet. Lines that programs wrote are none of
the kernel's, and those of another caller belong to another splat.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from orchestrator import plain
from orchestrator.config.schema import AllowedSplat
from orchestrator.guest.protocol import Windows
from orchestrator.model import Splat
from orchestrator.parse import printk, splat_scanner, splat_title
from orchestrator.parse.splat_rules import Rules, load_rules
from orchestrator.parse.splat_scanner import MOST_LINES, Found

__all__ = ["Rules", "expired", "fatal_matcher", "load_rules", "scan", "titles"]

MOST_ALIKE = 200
"""Splats of one title that are kept: a broken page table can print one a page."""


def scan(
    console: str, rules: Rules, allow: Sequence[AllowedSplat], today: date, windows: Windows | None = None
) -> tuple[Splat, ...]:
    """Return the splats of a console, in their order; ``windows`` knows whose markers are to be believed.

    The console may be cut anywhere and may hold control bytes. An entry of ``allow`` holds up to and with the day it
    expires; it never allows a fatal splat.
    """
    current = [entry for entry in allow if _expiry(entry) >= today]
    everything = _splats(console, rules, windows or Windows())
    return tuple(replace(found, allowed_by=found.allowed_by or _allowed_by(found, current)) for found in everything)


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

    It counts banners, so each guest needs a matcher of its own, fed with every line in order.
    """
    return splat_scanner.Watch(rules).is_fatal


def _splats(console: str, rules: Rules, windows: Windows) -> Iterator[Splat]:
    whole, rest = plain.split(console)
    texts = [printk.bounded(line) for line in (*whole, rest)]
    log, scanner = printk.Log(), splat_scanner.Scanner(rules, windows)
    senders: list[printk.Line] = []
    kinds: dict[printk.Line, printk.Line] = {}
    for number, text in enumerate(texts):
        line = log.take(text)
        scanner.line(number, line, number < len(whole))
        sender = printk.Line("", line.caller, line.origin)
        senders.append(
            kinds.setdefault(sender, sender)
        )  # who printed it is kept, and what once only: consoles are large
    alike: Counter[str] = Counter()
    for found in scanner.reported():
        splat = _build(found, texts, senders, rules)
        alike[splat.title] += 1
        if alike[splat.title] <= MOST_ALIKE:
            yield splat


def _build(found: Found, texts: Sequence[str], senders: Sequence[printk.Line], rules: Rules) -> Splat:
    own = splat_scanner.own_lines(found, senders)
    messages = [printk.message(texts[number]) for number in own if found.concerns(senders[number])]
    title, *others = splat_title.titles(rules, found.rule, found.groups, messages)
    return Splat(
        kind=found.rule.kind,
        title=title,
        other_titles=tuple(others),
        first_line=found.first + 1,
        last_line=found.last + 1,
        text="\n".join(texts[number] for number in own[:MOST_LINES]),
        fatal=found.fatal,
        test=found.test,
        allowed_by=found.rule.harmless,
    )


def _expiry(entry: AllowedSplat) -> date:
    return date.fromisoformat(entry.expires)


def _fits(entry: AllowedSplat, splat: Splat) -> bool:
    names = (splat.title, *splat.other_titles)
    title = any(entry.title == name or fnmatch.fnmatchcase(name, entry.title) for name in names)
    return title and not splat.fatal and any(fnmatch.fnmatchcase(splat.test or "", glob) for glob in entry.tests)


def _allowed_by(splat: Splat, allow: Sequence[AllowedSplat]) -> str | None:
    return next((f"{entry.reason} ({entry.link})" for entry in allow if _fits(entry, splat)), None)
