"""How much of what others wrote a value takes: the bounds on every text that goes to result.json. Pure.

A compiler, a guest, a patch and a tree write lines and names of any length. The values that hold such texts cut them
when they are made, so that no writer of a file, and no reader of one, has to.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from orchestrator import errors
from orchestrator.text.wording import cut

LINE = errors.LONGEST
"""Characters of a text: a name, a reason, a compiler's line, the subject of a commit."""

TEXT = 64 << 10
"""Characters of a text of many lines: a splat."""

MANY = 5000
"""Texts of one list that is for readers: the findings of a check, the notes of a run."""


class Bounded:
    """A value whose texts are cut to ``LINE`` characters, and its lists of texts to ``MANY``, with a mark of it.

    A list of other values is never cut, for a text is none of them. A field may say otherwise:
    ``field(metadata=LONG)``, ``field(metadata=WHOLE)``. A dataclass with a ``__post_init__`` of its own calls this one.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # each heir is a dataclass
            value = getattr(self, field.name)
            short = kept(value, field.metadata.get(_MOST, LINE), field.metadata.get(_MANY, MANY))
            if short is not value:
                object.__setattr__(self, field.name, short)


_MOST = "most"
LONG = {_MOST: TEXT}
"""What marks a field whose text has many lines."""
_MANY = "many"
WHOLE: dict[str, int | None] = {_MANY: None}
"""What marks a field whose texts are looked up by other values: names of tests. Every one of them is kept."""


def kept(value: Any, most: int, many: int | None = MANY) -> Any:
    """Return what is kept of a value: itself where it is no text and no list of texts, or not too long."""
    if isinstance(value, str):
        return cut(value, most)
    if not isinstance(value, tuple) or not any(isinstance(item, str | tuple) for item in value):
        return value
    short = tuple(kept(item, most, many) for item in value)
    if many is not None and len(value) > many and all(isinstance(item, str) for item in value):
        return (*short[: many - 1], f"… and {len(value) - many + 1} more")
    return value if all(a is b for a, b in zip(short, value, strict=True)) else short
