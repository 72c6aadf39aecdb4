"""Complaints of a tool, or of a kernel, about base and patched: which ones are new. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.model import CompilerWarning, Splat

_PLACED = re.compile(r" (?:in:?|at) (?!interrupt$)\S+(?: / \S+)?$")
"""The end of a title that names where the bug is; of a race it names both sides."""

_ENTRY = re.compile(r"^bad p[a-z0-9]+ at ")
"""Titles whose place is where a bad entry of a page table was found: one file for all that leave such entries."""

_LEAKS = re.compile(r"kmemleak: (\d+) new suspected memory leaks")
"""What a scan of kmemleak says: a number, and no place."""

_ANY_TIME = frozenset({"hung-task", "irq", "kmemleak", "lockup", "msr", "net", "rcu-stall"})
"""Kinds that a watchdog, a timer or the machine brings up, during whatever test runs."""

_KMEMLEAK_OFF = "kmemleak: switched itself off"
"""The title of what kmemleak says where it ends."""

_MEASURES = re.compile(
    r"\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?|\b\d+(?= bytes\b)|(?<=frame size \()\d+|(?<=\.[chS]):\d+(?::\d+)?"
)
"""Offsets of objtool and modpost, sizes of gcc, how clang writes that of a stack frame, and lines of other files."""

_Key = tuple[str, str]


def new_splats(before: Sequence[Splat], after: Sequence[Splat]) -> tuple[Splat, ...]:
    """Return the splats that fail a kernel and that the one before does not show.

    What is allowed there is known of no other test. A title without a place (``Out of memory``) is of many bugs: it is
    known during its test only, but where the moment is not the test's. Memory leaks have no place either: more than
    twice as many as before are new, for where the scans fall is chance.
    """
    old, now = ([splat for splat in splats if _fails(splat)] for splats in (before, after))
    known = {_bug(splat) for splat in old}
    many = sum(map(_leaks, now)) > 2 * sum(map(_leaks, old))
    return tuple(splat for splat in now if _bug(splat) not in known or (many and _leaks(splat)))


def _leaks(splat: Splat) -> int:
    return sum(map(int, _LEAKS.findall(splat.text)))


def _fails(splat: Splat) -> bool:
    return splat.fatal or splat.allowed_by is None


def _bug(splat: Splat) -> tuple[str, str | None]:
    placed = _PLACED.search(splat.title) and not _ENTRY.match(splat.title)
    known_anywhere = splat.kind in _ANY_TIME or placed
    return splat.title, None if known_anywhere else splat.test


def ended_checker(splat: Splat) -> str | None:
    """Return the kind of complaints that a kernel does not make any more behind a splat, if there is one.

    Lock debugging ends with its first report (``debug_locks_off()``) but those on RCU, and with most taints.
    """
    if splat.kind == "lockdep":
        return None if splat.title.startswith("suspicious RCU usage") else splat.kind
    return splat.kind if splat.title == _KMEMLEAK_OFF else None


def lockdep_ended(splats: Sequence[Splat]) -> tuple[str, ...]:
    """Say where lockdep ended itself in the guests of a kernel that has it; nothing where it did not."""
    ends: dict[Path | None, Splat] = {}
    for splat in splats:
        if ended_checker(splat) == "lockdep":
            ends.setdefault(splat.console, splat)
    if not ends:
        return ()
    first = next(iter(ends.values()))
    when = f"during {first.test}" if first.test else "outside of any test"
    more = f" (and so in {counted(tuple(ends)[1:], 'more guest')})" if len(ends) > 1 else ""
    return (f"lockdep ended itself {when} ({first.title}): what came after it in that guest had no such checker{more}",)


def new(before: Sequence[CompilerWarning], after: Sequence[CompilerWarning]) -> tuple[CompilerWarning, ...]:
    """Return the complaints that only ``after`` has, by file and text: a patch moves lines, offsets and sizes.

    Where one file has the same text more often than before, the last ones are the new ones, but for those that have
    gone from another file: code moves, too.
    """
    fresh, gone = _beyond(after, before, _words), _beyond(before, after, _words)
    fresh, gone = _beyond(fresh, gone, _numberless), _beyond(gone, fresh, _numberless)
    return _beyond(fresh, gone, _moved)


def _beyond(
    complaints: Sequence[CompilerWarning], known: Sequence[CompilerWarning], key: Callable[[CompilerWarning], _Key]
) -> tuple[CompilerWarning, ...]:
    """Return the complaints that are more than those known, each of which stands for one."""
    left = Counter(map(key, known))
    fresh = []
    for complaint in complaints:
        left[key(complaint)] -= 1
        if left[key(complaint)] < 0:
            fresh.append(complaint)
    return tuple(fresh)


def _words(complaint: CompilerWarning) -> _Key:
    return complaint.where.partition(":")[0], complaint.text


def _numberless(complaint: CompilerWarning) -> _Key:
    """Return file and text without what any change of a function changes: offsets into it, and its sizes."""
    file, text = _words(complaint)
    return file, _MEASURES.sub("", text)


def _moved(complaint: CompilerWarning) -> _Key:
    """Return the text alone, without what any change of a function changes."""
    return "", _numberless(complaint)[1]


def lines(complaints: Sequence[CompilerWarning]) -> tuple[str, ...]:
    """Return each complaint as a line of text."""
    return tuple(f"{complaint.where}: {complaint.text}" for complaint in complaints)


def counted(complaints: Sequence[object], what: str, more: str = "") -> str:
    """Return a count in words: ``1 new warning``, ``3 new warnings at W=1``."""
    return f"{len(complaints)} {what}{'' if len(complaints) == 1 else 's'}{more}"
