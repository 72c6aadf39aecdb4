"""Markdown out of our words and the text of others, which is nobody's markup. Every Markdown writer goes through this.

A ``str`` may come from a patch, a compiler or a guest. It gets into a document as a part of a ``line`` whose template
is our own, and is shown as it is; only what is ``Markdown`` already is taken as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.text import plain


@dataclass(frozen=True)
class Markdown:
    """A piece of a document: our markup, in which the text of others is escaped."""

    source: str


Part = str | int | Markdown

BLANK = Markdown("")
"""The line between two blocks."""

_INLINE = re.compile(r"([\\`|*<>\[\]~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|(?<= )#(?=#*$))")
_BLOCK = re.compile(r"(?:#{1,6}|[-+=])(?=\s|$|[-+=])|(?<=\d)[.)](?=\s|$)")
_FIRST = re.compile(r"\d{0,9}")


def line(template: str, *parts: Part) -> Markdown:
    """Return a line: a template of ours, which stands in the source as it is, with a part for each ``{}``."""
    return Markdown(template.format(*(_source(part) for part in parts)))


def code(text: str) -> Markdown:
    """Return a name as code; a bar would end the cell even there."""
    name = _flat(text).replace("`", "'").replace("|", "\\|")
    return Markdown(f"`{name}`" if name else "")


def block(lines: Iterable[str], indent: int = 4) -> Iterator[Markdown]:
    """Yield lines as they are, as a block of code that stands ``indent`` columns to the right."""
    return (Markdown(" " * indent + plain.printable(text).replace("\n", " ")) for text in lines)


def document(lines: Iterable[Markdown]) -> str:
    """Return the whole document."""
    return "".join(f"{piece.source}\n" for piece in lines)


def _source(part: Part) -> str:
    return part.source if isinstance(part, Markdown) else _escaped(str(part))


def _escaped(text: str) -> str:
    """Return text that stays on one line, in one cell, and begins no block."""
    flat = _flat(text)
    number = len(_FIRST.match(flat)[0])  # type: ignore[index]  # it matches everything
    if match := _BLOCK.match(flat, number):
        head = flat[: match.start()] + "\\" + flat[match.start() : match.start() + 1]
        return head + _INLINE.sub(r"\\\1", flat[match.start() + 1 :])
    return _INLINE.sub(r"\\\1", flat)


def _flat(text: str) -> str:
    return " ".join(plain.printable(text).split())
