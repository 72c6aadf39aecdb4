"""What ``git show`` and ``git log -p`` print for people, which is no mail and no plain diff (pure).

``git am`` refuses it. One commit is the diff that it is, with its title and author. Of several nothing says in which
order they come: git prints the newest first, or with ``--reverse`` the oldest.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from orchestrator.errors import UserError

_HEAD = re.compile(
    rb"^(?:commit [0-9a-f]{7,64}\b[^\n]*\n(?:(?:tree|parent|Merge:|Reflog[^\n:]*:)[^\n]*\n)*(?:Author:|author )"
    rb"|# HG changeset patch\n"
    rb"|[0-9a-f]{7,64} [^\n]+\n\n?(?=diff --git ))",  # --oneline
    re.M,
)
_DIFF = re.compile(rb"^(?:diff --git |diff -r |--- [^\n]+\n\+\+\+ )", re.M)
_AUTHOR = re.compile(r"^Author: +(.+)$", re.M)
_MESSAGE = re.compile(r"^    (\S.*)$", re.M)


@dataclass(frozen=True)
class Shown:
    """The first line of a commit's message, and its author; empty where they are not there."""

    subject: str
    author: str


def check_one(label: str, data: bytes) -> None:
    """Refuse the text of several commits that nobody put in order. Raises UserError."""
    data = data.replace(b"\r\n", b"\n")
    places = itertools.pairwise([*(match.start() for match in _HEAD.finditer(data)), len(data)])
    count = sum(_DIFF.search(data, start, end) is not None for start, end in places)
    if count > 1:
        raise UserError(
            f"{label} is the text of {count} commits, as git log prints them, and does not say in which order they"
            " apply: take git format-patch --stdout, or the range A..B of a tree"
        )


def read(text: str) -> Shown:
    """Return what the text before a diff says of its commit."""
    author = _AUTHOR.search(text)
    message = _MESSAGE.search(text, author.end()) if author else None
    return Shown(message[1] if message else "", author[1].strip() if author else "")
