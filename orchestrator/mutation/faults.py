"""Seeded faults: diffs, each of which makes the kernel with a series wrong in one known way. Read from a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.series import diffs, mail
from orchestrator.text import textfile


@dataclass(frozen=True)
class SeededFault:
    """One fault. ``killed_by`` are globs of the tests that must fail of it; empty: which ones do is not known.

    ``variants`` are those on which it is seeded; empty: all. ``files`` are the names that the diff touches.
    """

    name: str
    subject: str
    diff: str
    files: tuple[str, ...]
    killed_by: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()


def load(folder: Path | None) -> tuple[SeededFault, ...]:
    """Read a folder of faults, ``*.diff``; None holds none.

    Above the diff stand a line that says what is wrong, and ``Noticed-by:`` and ``Variants:`` with words behind them.
    Raises UserError.
    """
    if folder is None:
        return ()
    paths = sorted(folder.glob("*.diff"))
    if not paths:
        raise UserError(f"{folder} holds no seeded fault (*.diff)")
    return tuple(parse(path.stem, textfile.read(path), str(path)) for path in paths)


def parse(name: str, content: str, place: str) -> SeededFault:
    """Return the fault that a file holds; ``place`` is what a message calls it. Raises UserError. Pure."""
    letters = mail.split(name, content.encode())
    if len(letters) != 1 or not letters[0].diff:
        raise UserError(f"{place}: a seeded fault is one diff, with a line above it that says what is wrong")
    letter = letters[0]
    subject = letter.subject if letter.is_mail else letter.text.strip().partition("\n")[0]
    if not subject:
        raise UserError(f"{place}: no line above the diff says what is wrong")
    try:
        files = diffs.files_of(letter.diff)
    except ValueError as error:
        raise UserError(f"{place}: {error}") from error
    killed_by, variants = (tuple(_words(letter.text, key)) for key in ("Noticed-by", "Variants"))
    return SeededFault(name, subject, letter.diff, files, killed_by, variants)


def _words(text: str, key: str) -> Iterator[str]:
    for match in re.finditer(rf"^{key}:(.*)$", text, re.M):
        yield from match[1].split()
