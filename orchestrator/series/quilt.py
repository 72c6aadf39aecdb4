"""The file ``series`` of a quilt folder (pure): which patches there are, in which order, and how they are applied.

The rule is quilt's own (``quilt(1)``, "series file"): one name a line, options behind it, ``#`` begins a comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UserError

SERIES = "series"

_LEVEL = re.compile(r"-p(\d|ab)")


@dataclass(frozen=True)
class Entry:
    """A patch of the file; ``level`` is how many components its names lose, None where the line does not say."""

    name: str
    level: int | None


def read(where: Path, text: str) -> list[Entry]:
    """Return the patches of a series file. Raises UserError for a name out of the folder, twice, or of no file."""
    entries = [
        _entry(where, line.split("#", 1)[0].split()) for line in text.splitlines() if line.split("#", 1)[0].strip()
    ]
    names = [entry.name for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{where / SERIES} names {twice[0]} more than once")
    return entries


def _entry(where: Path, words: list[str]) -> Entry:
    name, options = words[0], words[1:]
    if name.startswith("/") or ".." in Path(name).parts:
        raise UserError(f"{where / SERIES} names a file outside its folder: {name}")
    if "-R" in options:
        raise UserError(f"{where / SERIES} reverts {name} (-R): give the reverted patch instead")
    level = next((match[1] for option in options if (match := _LEVEL.fullmatch(option))), None)
    return Entry(name, None if level is None else 1 if level == "ab" else int(level))
