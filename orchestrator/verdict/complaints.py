"""Complaints of a tool about base and patched: which ones are new. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from orchestrator.model import CompilerWarning


def new(before: Sequence[CompilerWarning], after: Sequence[CompilerWarning]) -> tuple[CompilerWarning, ...]:
    """Return the complaints that only ``after`` has, by file and text: a patch moves lines.

    Where one file has the same text more often than before, the last ones are the new ones.
    """
    known = Counter(_key(complaint) for complaint in before)
    fresh = []
    for complaint in after:
        known[_key(complaint)] -= 1
        if known[_key(complaint)] < 0:
            fresh.append(complaint)
    return tuple(fresh)


def _key(complaint: CompilerWarning) -> tuple[str, str]:
    return complaint.where.partition(":")[0], complaint.text


def lines(complaints: Sequence[CompilerWarning]) -> tuple[str, ...]:
    """Return each complaint as a line of text."""
    return tuple(f"{complaint.where}: {complaint.text}" for complaint in complaints)


def counted(complaints: Sequence[object], what: str, more: str = "") -> str:
    """Return a count in words: ``1 new warning``, ``3 new warnings at W=1``."""
    return f"{len(complaints)} {what}{'' if len(complaints) == 1 else 's'}{more}"
