"""Wording that is the same everywhere: long lists, long texts, near matches. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Remark = TypeVar("Remark", bound=Hashable)

STAGES = "stage"
"""Stands where the suite stands, for a stage that is judged as a test is: does it apply, build, boot?"""


def some(names: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """Return the first names, at most ``most``, and how many more there are: ``a, b and 3 more``."""
    rest = len(names) - most
    return between.join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def together(pairs: Iterable[tuple[Remark, str]]) -> list[tuple[Remark, list[str]]]:
    """Return each remark once with all that it is about, in the order of first mention."""
    groups: dict[Remark, list[str]] = {}
    for remark, whom in pairs:
        groups.setdefault(remark, []).append(whom)
    return list(groups.items())


def cut(text: str, most: int) -> str:
    """Return the beginning of a text, with a mark where more was."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


_VARIES = re.compile(r"(?<!\w)(?<!exit code )(?<!signal )(?:0x[0-9a-f]+|[0-9a-f]{12,16}(?!\w)|\d+(?:\.\d+)?)", re.I)
"""Numbers and addresses: not those in a name, and not the exit code or signal that a program ended with."""


def numberless(text: str) -> str:
    """Return a text with ``N`` for what is another number each time: a time, a size, a process, an address."""
    return _VARIES.sub("N", text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question that holds the known name nearest to one typed wrong, or nothing."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
