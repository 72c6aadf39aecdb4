"""The lines of a splat → its title, which names the bug. Pure.

The function of the title is the first one that the rule's skip lists do not name: the allocator, the lock and the code
that reports are where a bug shows, and rarely where it is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.parse import stack
from orchestrator.parse.splat_rules import Rule, Rules, Source

LONGEST = 200
"""Characters of a title."""

_ROOTS = "arch|block|crypto|drivers|fs|include|init|io_uring|ipc|kernel|lib|mm|net|security|sound|virt"
_VOLATILE = (
    (re.compile(rf"(?<!\S)\.{{0,2}}/\S*?(?=(?:{_ROOTS})/)"), ""),  # where the tree lay when it was built
    (re.compile(r"\+0x[0-9a-f]+/0x[0-9a-f]+"), ""),
    (stack.SUFFIX, ""),
    (re.compile(r"\b__(?:x64|ia32|arm64|riscv|s390x?|se|do)_(?=(?:compat_)?sys_)|\b[sS]y(?=S_[a-z])"), ""),
    (re.compile(r"\bS_(?=[a-z])"), "sys_"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,16}\b"), "ADDR"),
    (re.compile(r"\bkworker/u?\d+:\d+H?\b"), "kworker"),  # any of them may be given a work
    (re.compile(r"(?<![A-Za-z0-9_])-?\d+(?:\.\d+)?\b"), "N"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class _Place:
    """What may name the place of a bug. ``skipped``: the skip lists of the rule name it."""

    name: str
    text: str
    skipped: bool = False


_NOWHERE = _Place("", "")


def titles(rules: Rules, rule: Rule, groups: Mapping[str, str], messages: Sequence[str]) -> tuple[str, ...]:
    """Return the title, and after it those under which the same splat may be known.

    These are the wording of other kernels, and the title by the function on top of the stack, whatever it is.
    """
    sources = [list(_places(rules, rule, source, messages)) for source in rule.where]
    tops = [places[0] for places in sources if places]
    best = next((place for places in sources for place in places if not place.skipped), (*tops, _NOWHERE)[0])
    own = [rule.title.format_map(groups) + place.text for place in (best, *tops)]
    others = [alias.format_map({**groups, "where": best.name}) for alias in rule.aliases]
    titles = dict.fromkeys(_normal(title) for title in (*own, *others))
    reworded = [other for title in titles for other in _reworded(rules.wordings, title)]
    return tuple(dict.fromkeys((*titles, *reworded)))


def _reworded(wordings: Sequence[Sequence[str]], title: str) -> Iterator[str]:
    """Yield a title in the words of other kernels."""
    for words in wordings:
        for old in words:
            if title.startswith(f"{old} "):
                yield from (new + title.removeprefix(old) for new in words if new != old)


def _places(rules: Rules, rule: Rule, source: Source, messages: Sequence[str]) -> Iterator[_Place]:
    if source.pattern:
        yield from _searched(rule, source.pattern, messages)
    else:
        names = _functions(rules, rule, source.word, messages)
        yield from (_function(rule, name) for name in names if not rules.reporting.fullmatch(name))


def _searched(rule: Rule, pattern: re.Pattern[str], messages: Sequence[str]) -> Iterator[_Place]:
    for match in filter(None, map(pattern.search, messages)):
        groups = match.groupdict()
        if place := groups.get("place"):
            yield _Place(place, f" at {place}")
        elif exact := groups.get("exact"):
            yield _Place(exact, rule.suffix.format(where=exact))
        elif reason := groups.get("reason"):
            yield _Place(reason, f" ({reason})")
        elif where := stack.SUFFIX.sub("", groups.get("where") or ""):
            yield _function(rule, where)


def _function(rule: Rule, name: str) -> _Place:
    return _Place(name, rule.suffix.format(where=name), bool(rule.skip.fullmatch(name)))


def _functions(rules: Rules, rule: Rule, word: str, messages: Sequence[str]) -> Iterator[str]:
    if word == "pointer":
        yield from filter(None, [stack.pointer(messages)])
    elif word == "outermost":
        contexts = (stack.outermost(names, rule.skip, rules.entries) for names in stack.traces(messages))
        yield from filter(None, contexts)
    else:
        yield from itertools.chain.from_iterable(stack.traces(messages))


def _normal(title: str) -> str:
    """Take out of a title what differs from boot to boot: addresses, offsets, numbers, compiler suffixes."""
    title = title[: 4 * LONGEST]
    for pattern, instead in _VOLATILE:
        title = pattern.sub(instead, title)
    return title.strip()[:LONGEST]
